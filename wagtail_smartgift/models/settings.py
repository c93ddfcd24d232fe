"""Which Smart Gift company a Wagtail Site sells for, how it delivers, and its words.

Editors choose among the accounts that the settings define; keys and addresses never
come into the database. What is left blank here is the settings' word:
``selectors.shop_for`` joins the two.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList, TabbedInterface
from wagtail.admin.widgets import AdminPageChooser
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.fields import StreamField
from wagtail.models import Site

from wagtail_smartgift.blocks import DeliveryMethodsBlock, OwnWordsInLanguagesBlock
from wagtail_smartgift.choices import Classification
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models.catalogue import CatalogueSync
from wagtail_smartgift.models.pages import index_page_models


DEFAULT_ACCOUNT = "default"


def account_choices() -> list[tuple[str, str]]:
    """Return the configured accounts as form choices; none if the setting is broken.

    A broken setting is reported by the system checks, with its reason.
    """
    try:
        return [(alias, alias) for alias in get_conf().accounts]
    except ImproperlyConfigured:
        return []


def listed_payment_methods(aliases: Iterable[str]) -> dict[str, dict[int, str]]:
    """Return account -> number -> name of the payment methods last read of each."""
    return {
        row.account: {item["id"]: item["name"] for item in row.payment_methods}
        for row in CatalogueSync.objects.filter(account__in=aliases)
        if row.payment_methods
    }


def find_index(key: UUID | None, site: Site) -> Any:
    """Return the voucher index of that translation key to show in a form, if any."""
    if key is None:
        return None
    for model in index_page_models():
        pages = model.objects.filter(translation_key=key)
        main = pages.filter(locale=site.root_page.locale).first()
        if found := main or pages.order_by("pk").first():
            return found
    return None


class SmartGiftSettingsForm(WagtailAdminModelForm):
    """Offers what can be chosen, and keeps in sight what was chosen and is gone.

    A plain select would show the blank choice in place of an account that is
    configured no more, and saving would move the site to another company without a
    word.
    """

    #: The queryset is that of whatever kinds of index pages the project has.
    voucher_index: "forms.ModelChoiceField[Any]" = forms.ModelChoiceField(
        queryset=None,
        required=False,
        label=_("Voucher index"),
        help_text=_(
            "Where vouchers without a page of their own have their address. Leave it "
            "blank unless the site has several."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer_accounts()
        self._offer_payment_methods()
        self._offer_classifications()
        self._offer_index()

    def _offer_accounts(self) -> None:
        current = self.instance.account
        choices = account_choices()
        if current and current not in dict(choices):
            choices.append((current, _("%(alias)s (gone)") % {"alias": current}))
        self._replace(
            "account",
            forms.ChoiceField,
            choices=[("", _("The default account")), *choices],
        )

    def _offer_payment_methods(self) -> None:
        """Offer what Smart Gift listed for each account; the number that is kept stays.

        Until a list was read there is nothing to choose from, so the number is typed.
        """
        aliases = [alias for alias, _name in account_choices()]
        self.payment_methods = listed_payment_methods(aliases)
        if not self.payment_methods:
            return
        groups: list[tuple[Any, Any]] = [
            (
                alias,
                [(number, f"{name} ({number})") for number, name in methods.items()],
            )
            for alias, methods in self.payment_methods.items()
        ]
        if len(groups) == 1:
            groups = groups[0][1]
        current = self.instance.payment_method
        listed = {number for known in self.payment_methods.values() for number in known}
        if current and current not in listed:
            groups.append(
                (current, _("Number %(number)d (not listed)") % {"number": current})
            )
        self._replace(
            "payment_method",
            forms.TypedChoiceField,
            choices=[("", _("The shop's usual one")), *groups],
            coerce=int,
            empty_value=None,
            help_text=_(
                "What vouchers sold here are booked under in Smart Gift. It lists these."
            ),
        )

    def _offer_classifications(self) -> None:
        self._replace(
            "classifications",
            forms.MultipleChoiceField,
            choices=Classification.choices,
            widget=forms.CheckboxSelectMultiple,
        )

    def _offer_index(self) -> None:
        models_ = index_page_models()
        field = self.fields.get("voucher_index")
        if field is None:
            return
        if not models_:
            del self.fields["voucher_index"]
            return
        widget = AdminPageChooser(target_models=models_)
        field.widget = widget
        field.queryset = widget.model._default_manager.all()
        site = self.instance.site if self.instance.site_id else None
        if site is not None:
            self.initial["voucher_index"] = find_index(
                self.instance.voucher_index_key, site
            )

    def _replace(self, name: str, kind: type[forms.Field], **options: Any) -> None:
        """Put another kind of field in the place of one, with its words unless told."""
        field = self.fields.get(name)
        if field is not None:
            words = {"label": field.label, "help_text": field.help_text}
            self.fields[name] = kind(required=False, **{**words, **options})

    def clean_account(self) -> str:
        account: str = self.cleaned_data["account"]
        if account and account not in dict(account_choices()):
            raise ValidationError(
                _(
                    "The account “%(alias)s” is not in WAGTAIL_SMARTGIFT['ACCOUNTS'] "
                    "any more. Choose another one, or ask your developers to put it "
                    "back."
                ),
                params={"alias": account},
            )
        return account

    def clean_voucher_index(self) -> Any:
        page = self.cleaned_data["voucher_index"]
        if page is None:
            return None
        index = page.specific
        if not isinstance(index, tuple(index_page_models())):
            raise ValidationError(_("This page lists no vouchers."))
        home = page.get_site()
        if home is None or home.pk != self.instance.site_id:
            raise ValidationError(_("This page belongs to another site."))
        return index

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if "voucher_index" in cleaned:
            page = cleaned["voucher_index"]
            self.instance.voucher_index_key = page and page.translation_key
        self._check_payment_method(cleaned)
        return cleaned

    def _check_payment_method(self, cleaned: dict[str, Any]) -> None:
        """Refuse a method of another company; what was kept may stay unlisted."""
        number, account = cleaned.get("payment_method"), cleaned.get("account")
        if number is None or account is None:
            return
        known = self.payment_methods.get(account or DEFAULT_ACCOUNT)
        if known is None or number in known:
            return
        is_kept = number == self.initial.get("payment_method")
        if not (is_kept and account == self.initial.get("account")):
            self.add_error(
                "payment_method",
                _("Smart Gift lists no such payment method for this account."),
            )


@register_setting(icon="smartgift")
class SmartGiftSettings(BaseSiteSetting):
    """What one Wagtail Site says differently from the settings file."""

    account = models.CharField(
        _("account"),
        max_length=64,
        blank=True,
        choices=account_choices,
        help_text=_("The Smart Gift company whose vouchers this site sells."),
    )
    smartgift_site_id = models.CharField(
        _("site number"),
        max_length=64,
        blank=True,
        help_text=_(
            "This place's number in Smart Gift (Company configuration). "
            "Leave it blank to use the account's own."
        ),
    )
    payment_method = models.PositiveIntegerField(
        _("payment method"),
        null=True,
        blank=True,
        help_text=_(
            "Smart Gift's number of the payment method that vouchers sold here are "
            "booked under. Leave it blank to use the shop's usual one."
        ),
    )
    #: Of ``Classification``; empty: every experience.
    classifications = models.JSONField(
        _("classifications"),
        default=list,
        blank=True,
        help_text=_(
            "Which experiences of a voucher can be used here, by the classifications "
            "of Smart Gift's revenue centres. Choose none to take all of them. "
            "Vouchers over an amount of money are taken in any case."
        ),
    )
    delivery_methods = StreamField(
        DeliveryMethodsBlock(),
        blank=True,
        verbose_name=_("delivery methods"),
        help_text=_("Leave this empty to offer the delivery methods of the settings."),
    )
    #: The translation key of the chosen index, so that it is the index in every
    #: language. No foreign key: a migration that depends on the pages of a host with a
    #: page base of its own would depend on itself.
    voucher_index_key = models.UUIDField(null=True, blank=True, editable=False)
    words = StreamField(
        OwnWordsInLanguagesBlock(),
        blank=True,
        verbose_name=_("own words"),
        help_text=_("What customers read. What you leave out is said in ours."),
    )

    edit_handler = TabbedInterface(
        [
            ObjectList(
                [
                    FieldPanel("account"),
                    FieldPanel("smartgift_site_id"),
                    FieldPanel("payment_method"),
                    FieldPanel("classifications"),
                    HelpPanel(
                        heading=_("Connection"),
                        template="wagtail_smartgift/desk/connection_panel.html",
                    ),
                ],
                heading=_("Company"),
            ),
            ObjectList([FieldPanel("delivery_methods")], heading=_("Delivery")),
            ObjectList(
                [FieldPanel("voucher_index"), FieldPanel("words")],
                heading=_("Pages and words"),
            ),
        ],
        base_form_class=SmartGiftSettingsForm,
    )

    class Meta:
        verbose_name = _("Gift vouchers")

    def __str__(self) -> str:
        return str(_("Gift vouchers of %(site)s") % {"site": self.site})

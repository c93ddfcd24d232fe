"""Which Smart Gift company a Wagtail Site sells for, and how it delivers.

Editors choose among the accounts that the settings define; keys and addresses never
come into the database. What is left blank here is the settings' word:
``selectors.shop_for`` joins the two.
"""

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, ObjectList, TabbedInterface
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.fields import StreamField

from wagtail_smartgift.blocks import DeliveryMethodsBlock
from wagtail_smartgift.conf import get_conf


DEFAULT_ACCOUNT = "default"


def account_choices() -> list[tuple[str, str]]:
    """Return the configured accounts as form choices; none if the setting is broken.

    A broken setting is reported by the system checks, with its reason.
    """
    try:
        return [(alias, alias) for alias in get_conf().accounts]
    except ImproperlyConfigured:
        return []


class SmartGiftSettingsForm(WagtailAdminModelForm):
    """Keeps an account in sight that is configured no more.

    A plain select would show the blank choice in its place, and saving would move
    the site to another company without a word.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("account")
        current = self.instance.account
        if field is None:
            return
        choices = account_choices()
        if current and current not in dict(choices):
            choices.append((current, _("%(alias)s (gone)") % {"alias": current}))
        self.fields["account"] = forms.ChoiceField(
            choices=[("", _("The default account")), *choices],
            required=False,
            label=field.label,
            help_text=field.help_text,
        )

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
    delivery_methods = StreamField(
        DeliveryMethodsBlock(),
        blank=True,
        verbose_name=_("delivery methods"),
        help_text=_("Leave this empty to offer the delivery methods of the settings."),
    )

    edit_handler = TabbedInterface(
        [
            ObjectList(
                [
                    FieldPanel("account"),
                    FieldPanel("smartgift_site_id"),
                    FieldPanel("payment_method"),
                ],
                heading=_("Company"),
            ),
            ObjectList([FieldPanel("delivery_methods")], heading=_("Delivery")),
        ],
        base_form_class=SmartGiftSettingsForm,
    )

    class Meta:
        verbose_name = _("Gift vouchers")

    def __str__(self) -> str:
        return str(_("Gift vouchers of %(site)s") % {"site": self.site})

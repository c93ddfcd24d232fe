"""The purchase form of a voucher, and what an editor's page about it must fulfil.

The form offers only what Smart Gift would accept, and checks again what comes back:
amounts from the smallest to the largest in whole steps, a number of persons the
experience is made for, a day that has not passed. It sells nothing: ``choice()`` is
what goes into the shop's basket.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from wagtail_smartgift import selectors
from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.conf import DeliveryMethod
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.money import PENNY


#: More amounts than this are typed instead of picked.
MAX_AMOUNT_CHOICES = 60
#: inferred: Smart Gift names no limit for what is printed; these fit on a voucher.
MAX_NAME = 100
MAX_MESSAGE = 1000
#: Days that a delivery may be put off: a mistyped year would keep it for decades.
MAX_DAYS_AHEAD = 366


def _without(characters: str) -> RegexValidator:
    return RegexValidator(
        re.compile(characters),
        message=_("This has characters that cannot be printed."),
        code="unprintable",
        inverse_match=True,
    )


#: A sale refuses the same, when the customer has paid already.
_one_line = _without(r"[\x00-\x1f\x7f-\x9f]")
_lines = _without(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class VoucherChoice:
    """A voucher as a customer wants it; what the shop keeps in its basket.

    ``product_id`` is Smart Gift's, ``price`` is what the buyer pays for the voucher
    without its delivery, ``persons`` is None for an amount of money.
    """

    product_id: int
    title: str
    price: Decimal
    persons: int | None
    to: str
    sender: str
    message: str
    delivery_method: str | None
    delivery_date: date | None


class PurchaseForm(forms.Form):
    """Choose one voucher. A field with a single possible answer is not asked."""

    required_css_class = "smartgift-field--required"
    error_css_class = "smartgift-field--invalid"

    amount = forms.DecimalField(
        label=_("Amount"), max_digits=10, decimal_places=2, localize=False
    )
    persons = forms.TypedChoiceField(label=_("For"), coerce=int)
    to = forms.CharField(
        label=_("To"),
        max_length=MAX_NAME,
        required=False,
        validators=[_one_line],
        help_text=_("Printed on the voucher."),
    )
    sender = forms.CharField(
        label=_("From"),
        max_length=MAX_NAME,
        required=False,
        validators=[_one_line],
        help_text=_("Printed on the voucher."),
    )
    message = forms.CharField(
        label=_("Message"),
        max_length=MAX_MESSAGE,
        required=False,
        validators=[_lines],
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Printed on the voucher."),
    )
    delivery_method = forms.ChoiceField(
        label=_("Delivery"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how the voucher is sent.")},
    )
    delivery_date = forms.DateField(
        label=_("Send it on"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Leave it empty to have it sent at once."),
        error_messages={"invalid": _("Enter a day such as 2030-12-24.")},
    )

    def __init__(
        self,
        *args: Any,
        product: VoucherProduct,
        delivery_methods: Sequence[DeliveryMethod] = (),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("auto_id", "smartgift-%s")
        super().__init__(*args, **kwargs)
        self.product = product
        if product.type == ProductType.MONETARY:
            del self.fields["persons"]
            self._offer_amounts()
        else:
            del self.fields["amount"]
            self._offer_persons()
        self._offer_delivery(delivery_methods)

    def _offer_amounts(self) -> None:
        amounts = offered_amounts(self.product)
        field = self.fields["amount"]
        if amounts is None:
            lowest, highest, step = _amount_terms(self.product)
            field.widget = forms.NumberInput(
                attrs={
                    "min": str(lowest),
                    "max": str(highest),
                    "step": str(step),
                    "inputmode": "decimal",
                }
            )
            field.help_text = _amount_help(self.product)
        elif len(amounts) == 1:
            del self.fields["amount"]
        else:
            field.widget = forms.Select(
                choices=[(f"{amount:.2f}", format_price(amount)) for amount in amounts]
            )

    def _offer_persons(self) -> None:
        persons = self.product.persons_range
        if len(persons) == 1:
            del self.fields["persons"]
            return
        price = self.product.price or Decimal(0)
        self.fields["persons"].choices = [  # type: ignore[attr-defined]  # ChoiceField
            (
                number,
                ngettext(
                    "%(number)d person – %(price)s",
                    "%(number)d people – %(price)s",
                    number,
                )
                % {"number": number, "price": format_price(price * number)},
            )
            for number in persons
        ]

    def _offer_delivery(self, methods: Sequence[DeliveryMethod]) -> None:
        if not methods:
            del self.fields["delivery_method"]
        else:
            field = self.fields["delivery_method"]
            field.choices = [  # type: ignore[attr-defined]  # ChoiceField
                (method.id, _delivery_label(method)) for method in methods
            ]
            field.initial = methods[0].id
        today = timezone.localdate()
        self.fields["delivery_date"].widget.attrs |= {
            "min": today.isoformat(),
            "max": (today + timedelta(days=MAX_DAYS_AHEAD)).isoformat(),
        }

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"].quantize(PENNY)
        lowest, highest, step = _amount_terms(self.product)
        if not lowest <= amount <= highest or (amount - lowest) % step:
            raise ValidationError(_amount_help(self.product), code="amount")
        return amount

    def clean_delivery_date(self) -> date | None:
        """Refuse a day that Smart Gift would silently take for "at once"."""
        day: date | None = self.cleaned_data["delivery_date"]
        if day is None:
            return None
        today = timezone.localdate()
        if day < today:
            raise ValidationError(_("This day has passed."), code="past")
        if day > today + timedelta(days=MAX_DAYS_AHEAD):
            raise ValidationError(
                _("Choose a day within a year from today."), code="far"
            )
        return day

    def choice(self) -> VoucherChoice:
        """Return what was chosen; only of a valid form."""
        data = self.cleaned_data
        persons = None
        if self.product.type == ProductType.MONETARY:
            price = data.get("amount") or _amount_terms(self.product)[0]
        else:
            persons = data.get("persons") or self.product.persons_range[0]
            price = (self.product.price or Decimal(0)) * persons
        return VoucherChoice(
            product_id=self.product.remote_id,
            title=self.product.title,
            price=price,
            persons=persons,
            to=data["to"],
            sender=data["sender"],
            message=data["message"],
            delivery_method=data.get("delivery_method"),
            delivery_date=data["delivery_date"],
        )


def offered_amounts(product: VoucherProduct) -> list[Decimal] | None:
    """Return every amount a monetary product is sold for; None if they are many."""
    lowest, highest, step = _amount_terms(product)
    count = int((highest - lowest) // step) + 1
    if count > MAX_AMOUNT_CHOICES:
        return None
    return [lowest + step * number for number in range(count)]


def _amount_terms(product: VoucherProduct) -> tuple[Decimal, Decimal, Decimal]:
    """Return smallest amount, largest amount and step; a voucher for nothing is none.

    The form is made for products on sale, which have both ends. Without a step
    every penny is one.
    """
    step = product.increment if product.increment and product.increment > 0 else PENNY
    lowest, highest = product.min_amount or Decimal(0), product.max_amount or Decimal(0)
    if lowest <= 0:
        lowest = step
    return lowest, lowest + (highest - lowest) // step * step, step


def _amount_help(product: VoucherProduct) -> Any:
    lowest, highest, step = _amount_terms(product)
    values = {
        "lowest": format_price(lowest),
        "highest": format_price(highest),
        "step": format_price(step),
    }
    if step == PENNY:
        return _("Enter an amount from %(lowest)s to %(highest)s.") % values
    return (
        _("Enter an amount from %(lowest)s to %(highest)s, in steps of %(step)s.")
        % values
    )


def _delivery_label(method: DeliveryMethod) -> Any:
    price = format_price(method.price) if method.price else _("free")
    return format_lazy("{name} – {price}", name=method.name, price=price)


def validate_page_product(
    product: VoucherProduct, *, page: AbstractVoucherPage, parent: Any
) -> None:
    """Refuse a product that the site does not sell, or has a page about in that language.

    A draft is a page as well: two of them would both be published one day.

    Raises:
        ValidationError: says which, in the editor's words.
    """
    site = parent.get_site() if parent is not None else None
    if site is None:
        # Not under any site (yet): nothing can be bought from there.
        return
    if product.account != selectors.shop_for(site).account.alias:
        raise ValidationError(
            _("This voucher belongs to another Smart Gift company than this site.")
        )
    other = selectors.other_page_about(
        product, site=site, language=parent.locale.language_code, page=page
    )
    if other is not None:
        raise ValidationError(
            _("“%(title)s” already is this voucher's page here."),
            params={"title": other.title},
        )

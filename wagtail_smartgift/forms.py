"""The purchase form of a voucher, and what an editor's page about it must fulfil.

The form offers only what Smart Gift would accept, and checks again what comes back:
amounts from the smallest to the largest in whole steps, a number of persons the
experience is made for, a day that has not passed. Where two answers contradict each
other it asks, since either may be what was meant. It sells nothing: ``choice()`` is
what goes into the shop's basket.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from wagtail_smartgift import selectors
from wagtail_smartgift.addresses import other_page_about
from wagtail_smartgift.amounts import AmountTerms, read_amount
from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.conf import DeliveryMethod, get_conf
from wagtail_smartgift.delivery_days import delivery_days, validate_delivery_day
from wagtail_smartgift.formats import currency_symbol, format_price, format_short
from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.money import PENNY


#: The choice of an amount that is typed.
OTHER = "other"
#: When the voucher is sent.
NOW, LATER = "now", "later"
#: More numbers of persons than this are picked from a list.
MAX_PERSONS_SHOWN = 8
#: inferred: Smart Gift names no limit for what is printed; these fit on a voucher.
MAX_NAME = 100
MAX_MESSAGE = 1000


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


class AmountField(forms.ChoiceField):
    """One of the amounts that are shown, or any other one that the product has.

    Cleans to the amount, or to ``None`` where it is typed or not chosen yet.
    """

    def __init__(self, terms: AmountTerms) -> None:
        self.terms = terms
        shown = terms.first
        choices: list[tuple[str, Any]] = [
            (f"{amount:.2f}", format_short(amount)) for amount in shown
        ]
        self.shows_all = len(shown) == terms.count
        if not self.shows_all:
            choices.append((OTHER, _("Another amount")))
        super().__init__(
            label=_("Amount"),
            choices=choices,
            # Said to the browser, but decided with what is typed: see the form.
            required=False,
            widget=forms.RadioSelect(attrs={"required": True}),
        )

    def clean(self, value: Any) -> Decimal | None:
        text = self.to_python(value)
        if not text or text == OTHER and not self.shows_all:
            return None
        try:
            amount = read_amount(text)
        except ValueError:
            amount = Decimal(0)
        if not self.terms.allow(amount):
            raise ValidationError(_amount_help(self.terms), code="amount")
        return amount


class LinesField(forms.CharField):
    """Text of several lines, each break one character.

    A browser counts a break once for ``maxlength`` and sends it as two.
    """

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


class PurchaseForm(forms.Form):
    """Choose one voucher. A field with a single possible answer is not asked.

    ``amount`` has the amounts that are shown; where there are more, ``amount_other``
    is typed. ``delivery_when`` says whether ``delivery_date`` counts.
    """

    required_css_class = "smartgift-field--required"
    error_css_class = "smartgift-field--invalid"

    amount: Any = forms.ChoiceField()  # put in its place by __init__()
    amount_other = forms.CharField(
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    persons = forms.TypedChoiceField(label=_("For"), coerce=int)
    to = forms.CharField(
        label=_("To"),
        max_length=MAX_NAME,
        required=False,
        validators=[_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    sender = forms.CharField(
        label=_("From"),
        max_length=MAX_NAME,
        required=False,
        validators=[_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    message = LinesField(
        label=_("Message"),
        max_length=MAX_MESSAGE,
        required=False,
        validators=[_lines],
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    delivery_method = forms.ChoiceField(
        label=_("Delivery"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how the voucher is sent.")},
    )
    delivery_when = forms.ChoiceField(
        label=_("When to send it"),
        required=False,
        choices=[(NOW, _("At once")), (LATER, _("On a day that you choose"))],
        initial=NOW,
        widget=forms.RadioSelect,
    )
    delivery_date = forms.DateField(
        label=_("Send it on"),
        required=False,
        input_formats=["%Y-%m-%d"],
        validators=[validate_delivery_day],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
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
        self._methods = {method.id: method for method in delivery_methods}
        if product.type == ProductType.MONETARY:
            del self.fields["persons"]
            self._offer_amounts()
        else:
            del self.fields["amount"], self.fields["amount_other"]
            self._offer_persons()
        self._offer_delivery()

    # What is offered

    def _offer_amounts(self) -> None:
        self.terms = AmountTerms.of(self.product)
        field = self.fields["amount"] = AmountField(self.terms)
        if field.shows_all:
            del self.fields["amount_other"]
        else:
            other = self.fields["amount_other"]
            other.label = _("Your amount in %(currency)s") % {
                "currency": currency_symbol()
            }
            other.help_text = _amount_help(self.terms)
        if self.terms.count == 1:
            del self.fields["amount"]

    def _offer_persons(self) -> None:
        persons = self.product.persons_range
        if len(persons) == 1:
            del self.fields["persons"]
            return
        price = self.product.price or Decimal(0)
        field: Any = self.fields["persons"]
        if len(persons) <= MAX_PERSONS_SHOWN:
            field.widget = forms.RadioSelect()
        field.initial = persons[0]
        field.choices = [
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

    def _offer_delivery(self) -> None:
        if not self._methods:
            del self.fields["delivery_method"]
        else:
            field: Any = self.fields["delivery_method"]
            field.choices = [
                (method.id, _delivery_label(method))
                for method in self._methods.values()
            ]
            field.initial = next(iter(self._methods))
        first, last = delivery_days()
        self.fields["delivery_date"].widget.attrs |= {
            "min": first.isoformat(),
            "max": last.isoformat(),
        }

    # What templates ask

    @property
    def methods(self) -> Iterator[tuple[Any, DeliveryMethod]]:
        """The radio buttons of the delivery, each with its method."""
        if self._methods:
            for radio in self["delivery_method"]:
                yield radio, self._methods[str(radio.data["value"])]

    @property
    def currency(self) -> str:
        """What an amount may be typed with, for a script that reads it as we do."""
        return get_conf().currency

    @property
    def unit_price(self) -> Decimal | None:
        """What one person costs; None for an amount of money."""
        if self.product.type == ProductType.MONETARY:
            return None
        return self.product.price or Decimal(0)

    @property
    def only_price(self) -> Decimal | None:
        """What the voucher costs where neither amount nor persons are asked."""
        if {"amount", "persons"} & set(self.fields):
            return None
        if self.unit_price is None:
            return self.terms.lowest
        return self.unit_price * self.product.persons_range[0]

    # What comes back

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "amount" in self.fields and not self.has_error("amount"):
            self._settle_amount(data)
        if not self.has_error("delivery_date"):
            self._settle_day(data)
        return data

    def _settle_amount(self, data: dict[str, Any]) -> None:
        chosen, typed = data["amount"], data.get("amount_other", "").strip()
        if not typed:
            if chosen is None and self.data.get(self.add_prefix("amount")):
                self._refuse_typed()
            elif chosen is None:
                self.add_error("amount", _("Choose an amount."))
            return
        try:
            amount = read_amount(typed)
        except ValueError:
            amount = Decimal(0)
        if chosen not in {None, amount}:
            self.add_error(
                "amount_other",
                _(
                    "You chose %(chosen)s and typed another amount. Choose “Another "
                    "amount” for the one that you typed, or empty this."
                )
                % {"chosen": format_price(chosen)},
            )
        elif not self.terms.allow(amount):
            self._refuse_typed()
        else:
            data["amount"] = amount

    def _refuse_typed(self) -> None:
        self.add_error("amount_other", _amount_help(self.terms))
        # The same, and once is enough.
        self["amount_other"].help_text = ""

    def _settle_day(self, data: dict[str, Any]) -> None:
        when, day = data.get("delivery_when"), data.get("delivery_date")
        if when == LATER and day is None:
            self.add_error("delivery_date", _("Choose the day."))
        elif when == NOW and day is not None:
            self.add_error(
                "delivery_date",
                _(
                    "You chose “At once” and a day. Choose “On a day that you choose” "
                    "for this day, or empty this."
                ),
            )

    def choice(self) -> VoucherChoice:
        """Return what was chosen; only of a valid form."""
        data = self.cleaned_data
        persons = None
        if self.product.type == ProductType.MONETARY:
            price = data.get("amount") or self.terms.lowest
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


def _amount_help(terms: AmountTerms) -> Any:
    values = {
        "lowest": format_price(terms.lowest),
        "highest": format_price(terms.highest),
        "step": format_price(terms.step),
    }
    if terms.step == PENNY:
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
    other = other_page_about(
        product, site=site, language=parent.locale.language_code, page=page
    )
    if other is not None:
        raise ValidationError(
            _("“%(title)s” already is this voucher's page here."),
            params={"title": other.title},
        )

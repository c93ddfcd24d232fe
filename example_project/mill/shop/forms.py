from decimal import Decimal
from typing import Any

from django import forms

from wagtail_smartgift.formats import format_price


class CardForm(forms.Form):
    """A dummy card: real ones are typed into a payment provider's page, never here."""

    card_name = forms.CharField(
        label="Name on the card",
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "cc-name"}),
    )
    card_number = forms.CharField(
        label="Card number",
        max_length=23,
        widget=forms.TextInput(
            attrs={"autocomplete": "cc-number", "inputmode": "numeric"}
        ),
    )

    def clean_card_number(self) -> str:
        number = "".join(self.cleaned_data["card_number"].split())
        if not (number.isascii() and number.isdecimal() and len(number) == 16):
            raise forms.ValidationError("A card number has 16 digits.")
        return number


class RefundForm(forms.Form):
    amount = forms.DecimalField(
        label="Amount in pounds",
        max_digits=8,
        decimal_places=2,
        min_value=Decimal("0.01"),
    )
    already = forms.DecimalField(
        max_digits=8, decimal_places=2, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, refundable: Decimal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refundable = refundable

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount > self.refundable:
            raise forms.ValidationError(
                f"No more than {format_price(self.refundable)} of this order can be refunded."
            )
        return amount

"""What a person fills in to settle a case: why, and what they have found."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import Verdict
from wagtail_smartgift.models import VoucherOrderItem
from wagtail_smartgift.redaction import Secret


#: Characters of a reason, and redemption ids of one voucher.
LONGEST_REASON, MOST_IDS = 1000, 20
#: A redemption id as Smart Gift shows it.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ReasonForm(forms.Form):
    """Asks for the reason, which goes into the journal."""

    def clean_reason(self) -> str:
        return Secret(self.cleaned_data["reason"])

    def refuse_number(self, message: Any, name: str = "reason") -> None:
        """Say that a voucher's number was in a field, and do not show it again."""
        # No name for the copy: a crash would show it, with what else was typed.
        self.data = cast("QueryDict", self.data).copy()
        self.data[name] = ""
        self.add_error(name, message)

    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "What you have seen and done, for whoever reads this later. Leave voucher "
            "numbers and people's names out."
        ),
    )


class SeenForm(ReasonForm):
    """A reason, and what was shown: if that has moved on, nothing is done."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=32)


class RedemptionVerdictForm(SeenForm):
    redemption_ids = forms.CharField(
        label=_("Redemption ids"),
        required=False,
        max_length=500,
        help_text=_("As the dashboard shows them, separated by commas."),
    )

    field_order = ("redemption_ids", "reason")

    def ask_for(self, *, ids: bool, needed: bool) -> None:
        """Ask for redemption ids, or not."""
        if not ids:
            del self.fields["redemption_ids"]
        else:
            self.fields["redemption_ids"].required = needed

    def clean_redemption_ids(self) -> tuple[int | str, ...]:
        parts = re.split(r"[\s,;]+", self.cleaned_data["redemption_ids"].strip())
        found = [part for part in parts if part]
        if len(found) > MOST_IDS or not all(_ID.fullmatch(one) for one in found):
            raise forms.ValidationError(
                _("These are no redemption ids: enter numbers separated by commas.")
            )
        return tuple(int(one) if one.isdecimal() else one for one in found)


class NumberInput(forms.TextInput):
    """A field for a voucher number, which is never shown again."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        value = None
        attrs = {**(attrs or {}), "autocomplete": "off", "spellcheck": "false"}
        return super().get_context(name, value, attrs)


class OrderVerdictForm(SeenForm):
    """For a sale that was made also its number and those of its vouchers."""

    order_number = forms.CharField(
        label=_("Smart Gift's order number"), required=False, max_length=128
    )

    #: Names of the fields for numbers, and the vouchers that they are of.
    positions: Mapping[str, int] = {}

    def ask_for(self, verdict: Verdict, items: Iterable[VoucherOrderItem]) -> None:
        """Ask for what a person may know who says so."""
        if verdict is not Verdict.SOLD:
            del self.fields["order_number"]
            return
        self.positions = {f"number_{item.position}": item.position for item in items}
        for name, item in zip(self.positions, items, strict=True):
            self.fields[name] = forms.CharField(
                label=_("Number of voucher %(position)d (%(product)s)")
                % {"position": item.position + 1, "product": item.product.title},
                required=False,
                max_length=200,
                widget=NumberInput,
                help_text=_("Only if it is another one than %(known)s.")
                % {"known": item.display_code}
                if item.display_code
                else _("Leave it empty if you do not know it."),
            )
        self.order_fields(["order_number", *self.positions, "reason"])

    @property
    def voucher_numbers(self) -> dict[int, str]:
        return {
            position: Secret(self.cleaned_data[name])
            for name, position in self.positions.items()
        }

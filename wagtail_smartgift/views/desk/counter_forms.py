"""The forms of the voucher desk."""

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.references import is_reference
from wagtail_smartgift.services.looking_up import Experience
from wagtail_smartgift.views.desk.attention_forms import NumberInput, ReasonForm


def _amount(label: Any, **options: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=Decimal("0.01"),
        max_digits=10,
        decimal_places=2,
        **options,
    )


class LookUpForm(forms.Form):
    """The number is posted, and never shown again whole."""

    voucher_no = forms.CharField(
        label=_("Voucher number"), max_length=200, widget=NumberInput
    )
    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.none(), empty_label=None
    )

    @classmethod
    def asking(cls, data: Any = None) -> "LookUpForm":
        """Make the form; which site is asked only where there are several."""
        form, data = cls(data), None
        sites = Site.objects.order_by("-is_default_site", "pk")
        if sites.count() < 2:
            del form.fields["site"]
        else:
            form.fields["site"].queryset = sites  # type: ignore[attr-defined]
            form.fields["site"].initial = sites.first()
        return form

    def clean_voucher_no(self) -> str:
        return Secret(self.cleaned_data["voucher_no"])

    @property
    def chosen_site(self) -> Any:
        return (
            self.cleaned_data.get("site")
            or Site.objects.order_by("-is_default_site", "pk").first()
        )


class ReferenceForm(forms.Form):
    reference = forms.CharField(label=_("Reference of the order"), max_length=64)

    def clean_reference(self) -> str:
        reference: str = self.cleaned_data["reference"].strip()
        if not is_reference(reference):
            raise forms.ValidationError(_("No order can have this reference."))
        return reference


class InstructionForm(ReasonForm):
    """A reason, and an id that the form is known by if it comes twice."""

    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def begin_anew(self) -> None:
        """Be another form from now on: what was asked for under this id was refused."""
        # No name for the copy: a crash would show it, with what else was typed.
        self.data = cast("QueryDict", self.data).copy()
        self.data["form_id"] = str(uuid.uuid4())


class CarryingForm(InstructionForm):
    """Takes the number that was looked up along, sealed.

    Of an experience voucher it asks what is to be used: each experience is used up as a
    whole, so an amount alone would say nothing about what the customer loses.
    """

    # With the names of all experiences in it, encrypted.
    carried = forms.CharField(widget=forms.HiddenInput, max_length=50_000)
    experiences = forms.TypedMultipleChoiceField(
        label=_("Experiences to use"),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Each is used up as a whole, whatever the amount."),
    )

    def ask_for(self, experiences: Sequence[Experience]) -> None:
        """Ask which of these are to be used; of no experience voucher there are none."""
        if experiences:
            self.offer(experiences)
        else:
            del self.fields["experiences"]

    def offer(self, experiences: Sequence[Experience]) -> None:
        field = cast("forms.TypedMultipleChoiceField", self.fields["experiences"])
        field.choices = [(one.bit_value, named(one)) for one in experiences]


def named(experience: Experience) -> str:
    """Return the name of an experience, or its number where it has none."""
    return experience.name or gettext("Experience %(number)d") % {
        "number": experience.bit_value
    }


class HoldForm(CarryingForm):
    amount = _amount(
        _("Amount"), help_text=_("What is to be redeemed. Nothing is taken yet.")
    )
    field_order = ("experiences", "amount", "reason")

    def offer(self, experiences: Sequence[Experience]) -> None:
        super().offer(experiences)
        self.fields["amount"].help_text = _(
            "What the experiences are to pay. Nothing is taken yet."
        )


class ApplyForm(CarryingForm):
    reference = ReferenceForm.base_fields["reference"]
    amount_due = _amount(
        _("What the order comes to"),
        required=False,
        help_text=_("Only if the shop has not opened a payment for it yet."),
    )
    amount = _amount(
        _("At most"),
        required=False,
        help_text=_("The most to take from this voucher; empty: all that is needed."),
    )
    field_order = ("reference", "amount_due", "experiences", "amount", "reason")

    clean_reference = ReferenceForm.clean_reference

    def offer(self, experiences: Sequence[Experience]) -> None:
        super().offer(experiences)
        # Less than an experience is worth cannot be taken from it.
        del self.fields["amount"]


class RedeemForm(InstructionForm):
    plan = forms.CharField(widget=forms.HiddenInput, max_length=64)


class ReverseForm(InstructionForm):
    seen_status = forms.CharField(widget=forms.HiddenInput, max_length=16)


class RefundForm(InstructionForm):
    amount = _amount(
        _("Amount"), required=False, help_text=_("Empty: all that is left.")
    )
    # Bounded as what it is compared with: a number may stand for a billion digits.
    refunded_before = forms.DecimalField(
        widget=forms.HiddenInput, min_value=0, max_digits=10, decimal_places=2
    )
    field_order = ("amount", "reason")

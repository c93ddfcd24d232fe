"""The forms of the voucher desk."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.references import is_reference
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


class WishForm(ReasonForm):
    """A reason, and an id that the form is known by if it comes twice."""

    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class CarryingForm(forms.Form):
    """Takes the number that was looked up along, sealed."""

    carried = forms.CharField(widget=forms.HiddenInput, max_length=2000)


class HoldForm(WishForm, CarryingForm):
    amount = _amount(
        _("Amount"), help_text=_("What is to be redeemed. Nothing is taken yet.")
    )
    field_order = ("amount", "reason")


class ApplyForm(WishForm, CarryingForm):
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
    field_order = ("reference", "amount_due", "amount", "reason")

    clean_reference = ReferenceForm.clean_reference


class RedeemForm(WishForm):
    remaining = forms.DecimalField(widget=forms.HiddenInput)


class ReverseForm(WishForm):
    seen_status = forms.CharField(widget=forms.HiddenInput, max_length=16)


class RefundForm(WishForm):
    amount = _amount(
        _("Amount"), required=False, help_text=_("Empty: all that is left.")
    )
    refunded_before = forms.DecimalField(widget=forms.HiddenInput)
    field_order = ("amount", "reason")

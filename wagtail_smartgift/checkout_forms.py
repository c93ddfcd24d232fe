"""The checkout step of a shop that sells vouchers: who buys, and how they travel.

A host that asks for these things itself has no use for this. One that does not puts
both forms into its checkout and hands what they read to ``sales.place_order``::

    customer_form = VoucherCustomerForm(request.POST or None)
    delivery_form = VoucherDeliveryForm(request.POST or None, site=site)
    if customer_form.is_valid() and delivery_form.is_valid():
        customer = customer_form.as_order()
        body = {
            "items": [...],
            "customer": customer,
            "delivery": delivery_form.as_order(customer=customer),
        }

``wagtail_smartgift/checkout_step.html`` shows both. The forms sell and store nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift import selectors
from wagtail_smartgift.conf import DeliveryMethod
from wagtail_smartgift.delivery_days import delivery_days, validate_delivery_day
from wagtail_smartgift.formats import format_price


_NAME_LENGTH = 255
_POSTCODE_LENGTH = 20
_PHONE_LENGTH = 40

#: The parts of an address, in the order in which they are written.
_ADDRESS = (
    "first_name",
    "last_name",
    "address1",
    "address2",
    "city",
    "county",
    "postcode",
)
_OPTIONAL_IN_ADDRESS = {"address2", "county"}


def _text(
    label: Any, autocomplete: str, *, required: bool = True, longest: int = _NAME_LENGTH
) -> forms.CharField:
    """Return a field of one line; ``autocomplete`` is the purpose in HTML's words."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=longest,
        widget=forms.TextInput(attrs={"autocomplete": autocomplete}),
    )


class _StepForm(forms.Form):
    required_css_class = "smartgift-field--required"
    error_css_class = "smartgift-field--invalid"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "smartgift-%s")
        super().__init__(*args, **kwargs)


class VoucherCustomerForm(_StepForm):
    """Who buys the vouchers, as Smart Gift asks for it."""

    prefix = "customer"

    first_name = _text(_("First name"), "given-name")
    last_name = _text(_("Last name"), "family-name")
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    phone = forms.CharField(
        label=_("Telephone number (optional)"),
        required=False,
        max_length=_PHONE_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
    )
    address1 = _text(_("Address"), "address-line1")
    address2 = _text(
        _("Address, second line (optional)"), "address-line2", required=False
    )
    city = _text(_("Town or city"), "address-level2")
    county = _text(_("County (optional)"), "address-level1", required=False)
    postcode = _text(_("Postcode"), "postal-code", longest=_POSTCODE_LENGTH)

    def as_order(self) -> dict[str, str]:
        """Return the ``customer`` of an order; only of a valid form."""
        return {name: self.cleaned_data[name] for name in self.fields}


class VoucherDeliveryForm(_StepForm):
    """How and when the vouchers of one order travel, and where posted ones go.

    The methods are those of ``site``, or ``methods``. An order has one of them,
    however many vouchers it has.

    Raises:
        ImproperlyConfigured: the shop has no delivery methods; Smart Gift cannot be
            asked for them.
    """

    prefix = "delivery"

    method = forms.ChoiceField(
        label=_("Delivery"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how the vouchers are sent.")},
    )
    date = forms.DateField(
        label=_("Send them on (optional)"),
        required=False,
        input_formats=["%Y-%m-%d"],
        validators=[validate_delivery_day],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Leave it empty to have them sent at once."),
        error_messages={"invalid": _("Enter a day such as 2030-12-24.")},
    )
    to_buyer = forms.BooleanField(
        label=_("Post them to the buyer’s address"), required=False, initial=True
    )
    first_name = _text(_("First name"), "shipping given-name")
    last_name = _text(_("Last name"), "shipping family-name")
    address1 = _text(_("Address"), "shipping address-line1")
    address2 = _text(_("Address, second line (optional)"), "shipping address-line2")
    city = _text(_("Town or city"), "shipping address-level2")
    county = _text(_("County (optional)"), "shipping address-level1")
    postcode = _text(_("Postcode"), "shipping postal-code", longest=_POSTCODE_LENGTH)

    def __init__(
        self,
        *args: Any,
        site: Site | None = None,
        methods: Sequence[DeliveryMethod] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        #: What the site says above the step, in its own words.
        self.words = selectors.words_of(site)
        if methods is None:
            methods = selectors.shop_for(site).delivery_methods
        if not methods:
            raise ImproperlyConfigured(
                "The shop has no DELIVERY_METHODS, so nobody can choose one."
            )
        self.methods = {method.id: method for method in methods}
        field = self.fields["method"]
        field.choices = [  # type: ignore[attr-defined]  # ChoiceField
            (method.id, _label(method)) for method in methods
        ]
        field.initial = methods[0].id
        if not self.has_posted_method:
            for name in ("to_buyer", *_ADDRESS):
                del self.fields[name]
        for name in set(_ADDRESS) & set(self.fields):
            # Required only of a posted order that goes elsewhere: see clean().
            self.fields[name].required = False
        first, last = delivery_days()
        self.fields["date"].widget.attrs |= {
            "min": first.isoformat(),
            "max": last.isoformat(),
        }

    @property
    def has_posted_method(self) -> bool:
        return any(method.posted for method in self.methods.values())

    @property
    def method_choices(self) -> list[tuple[Any, DeliveryMethod]]:
        """The radio buttons of the delivery, each with its method, for the template."""
        return [
            (radio, self.methods[str(radio.data["value"])]) for radio in self["method"]
        ]

    @property
    def address_fields(self) -> list[forms.BoundField]:
        """The fields of the postal address, for the template."""
        return [self[name] for name in _ADDRESS if name in self.fields]

    def clean(self) -> dict[str, Any]:
        """Ask for the address of a posted order that does not go to the buyer."""
        data = super().clean() or self.cleaned_data
        if self._goes_elsewhere(data):
            for name in _ADDRESS:
                if name not in _OPTIONAL_IN_ADDRESS and not data.get(name):
                    self.add_error(
                        name,
                        ValidationError(
                            _("Say where the vouchers shall be posted to."),
                            code="required",
                        ),
                    )
        return data

    def _goes_elsewhere(self, data: Mapping[str, Any]) -> bool:
        method = self.methods.get(data.get("method", ""))
        return method is not None and method.posted and not data.get("to_buyer")

    def as_order(self, *, customer: Mapping[str, str]) -> dict[str, Any]:
        """Return the ``delivery`` of an order; only of a valid form.

        ``customer`` is the order's, whose address is used when it was chosen.
        """
        data = self.cleaned_data
        method = self.methods[data["method"]]
        delivery: dict[str, Any] = {
            "method": method.id,
            "price": method.price,
            "date": data["date"],
        }
        if method.posted:
            source = data if self._goes_elsewhere(data) else customer
            delivery["address"] = {name: source.get(name, "") for name in _ADDRESS}
        return delivery


def _label(method: DeliveryMethod) -> Any:
    price = format_price(method.price) if method.price else _("free")
    return format_lazy("{name} – {price}", name=method.name, price=price)

"""On which days a voucher can be sent; the forms and the sale ask the same."""

from datetime import date

import pytest
import time_machine
from django.core.exceptions import ValidationError

from wagtail_smartgift.checkout_forms import VoucherDeliveryForm
from wagtail_smartgift.conf import DeliveryMethod
from wagtail_smartgift.delivery_days import delivery_days, validate_delivery_day


@time_machine.travel("2026-06-30T23:30:00+00:00", tick=False)
def test_the_days_are_the_shops_own():
    # Half past midnight in London.
    assert delivery_days() == (date(2026, 7, 1), date(2027, 7, 2))


@time_machine.travel("2026-11-23T12:00:00+00:00", tick=False)
@pytest.mark.parametrize(
    ("day", "code", "said"),
    [
        (date(2026, 11, 22), "past", "This day has passed."),
        (date(2027, 11, 25), "far", "Choose a day within a year from today."),
    ],
)
def test_any_other_day_is_refused(day, code, said):
    for allowed in delivery_days():
        validate_delivery_day(allowed)
    with pytest.raises(ValidationError) as refused:
        validate_delivery_day(day)

    assert refused.value.code == code
    assert refused.value.messages == [said]


@time_machine.travel("2026-11-23T12:00:00+00:00", tick=False)
def test_a_calendar_offers_what_is_accepted():
    methods = [DeliveryMethod(id="1", name="E-mail", price=0, posted=False)]
    field = str(VoucherDeliveryForm(methods=methods)["date"])

    assert 'min="2026-11-23"' in field
    assert 'max="2027-11-24"' in field

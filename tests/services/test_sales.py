"""Selling over real HTTP: exactly one sale, or none, whatever happens on the way."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from wagtail_smartgift import codes, sales, signals
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.models import (
    CatalogueSync,
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
    VoucherProduct,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue
from wagtail_smartgift.services import sales as services
from wagtail_smartgift.services.sales_looking import LOOK_AFTER


pytestmark = pytest.mark.django_db

#: Sandbox: a monetary voucher, an experience for two to six, one with three left.
MONEY, TEA, BREAD = 37, 39, 42

CUSTOMER = {
    "first_name": "John",
    "last_name": "Smith",
    "email": "john@example.org",
    "address1": "1 Mill Lane",
    "city": "Bath",
    "postcode": "BA1 1AA",
}
ADDRESS = {
    "first_name": "Jane",
    "last_name": "Smith",
    "address1": "2 Mill Lane",
    "city": "Bath",
    "postcode": "BA1 1AB",
}


def make_body(**changes):
    return {
        "items": [{"product": MONEY, "price": "50.00", "to": "Jane", "from": "John"}],
        "customer": CUSTOMER,
        "delivery": {"method": "1", "price": "0.00"},
        **changes,
    }


@pytest.fixture
def shop(sandbox):
    """A sandbox whose catalogue and payment methods are known here."""
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    return sandbox


@pytest.fixture
def impatient(configure):
    """An unknown outcome settles at once."""
    configure(SETTLE=0, LATE=0)


def place(reference="order-1", **changes):
    return sales.place_order(reference=reference, **make_body(**changes))


def stored(reference="order-1"):
    return VoucherOrder.objects.get(reference=reference)


def steps(reference="order-1"):
    """Return the order's journal as (operation, outcome, reason)."""
    return [
        (event.operation, event.outcome, event.reason)
        for event in VoucherOrderEvent.objects.filter(order__reference=reference)
    ]


def calls(sandbox, operation="pos-sale"):
    return [line for line in sandbox.log() if line.operation == operation]


def refused(**changes):
    """Return what was wrong with an order, and see that nothing came of it."""
    with pytest.raises(SaleError) as error:
        place(**changes)
    assert error.value.code == "invalid"
    assert not VoucherOrder.objects.exists()
    return {name: str(message) for name, message in error.value.fields.items()}


# Placing


def test_a_break_is_one_character_however_the_shop_sends_it(shop):
    text = ("a" * 9 + "\n") * 99 + "Love, J."
    sent = {"product": MONEY, "price": "50.00"}

    for message in (text.replace("\n", "\r\n"), text, text.replace("\n", "\r")):
        # One order, and a repeat of it.
        assert place(items=[{**sent, "message": message}]).status == OrderStatus.PLACED

    (sale,) = shop.sales()
    assert sale.items[0]["message"] == text


def test_an_order_is_placed_with_numbers_of_our_own(shop):
    order = place(
        items=[
            {"product": MONEY, "price": "50.00", "to": "Jane", "from": "John"},
            {"product": TEA, "persons": 2, "message": "Enjoy!\nLove, J."},
        ]
    )

    (sale,) = shop.sales()
    assert order.status == OrderStatus.PLACED
    assert order.order_id == sale.order_id
    assert not order.pending
    assert [item.voucher_no for item in order.items] == sale.vouchers
    assert [item.price for item in order.items] == [Decimal("50.00"), Decimal("59.00")]
    assert sale.payment_method_id == 12
    assert sale.total == 10_900
    assert sale.items[1]["message"] == "Enjoy!\nLove, J."
    assert steps() == [("place", "requested", ""), ("place", "succeeded", "")]


def test_numbers_are_stored_encrypted_and_never_shown(shop):
    order = place()

    number = order.items[0].voucher_no
    item = VoucherOrderItem.objects.get()
    assert number is not None
    assert re.fullmatch("[A-Z0-9]{16}", number)
    assert number not in item.number_encrypted
    assert item.display_code == codes.display_code(number)
    assert number not in repr(order)


def test_a_posted_order_takes_its_address_along(shop):
    order = place(
        delivery={
            "method": 2,
            "price": "3.95",
            "date": timezone.localdate() + timedelta(days=3),
            "address": ADDRESS,
        }
    )

    (sale,) = shop.sales()
    assert order.status == OrderStatus.PLACED
    assert sale.delivery["address1"] == "2 Mill Lane"
    assert sale.send_on == (timezone.localdate() + timedelta(days=3)).isoformat()
    assert sale.total == 5395


def test_without_a_name_of_its_own_it_is_posted_to_the_buyer(shop):
    names = {"first_name", "last_name"}
    address = {name: text for name, text in ADDRESS.items() if name not in names}

    place(delivery={"method": "2", "price": "3.95", "address": address})

    (sale,) = shop.sales()
    assert (sale.delivery["first_name"], sale.delivery["last_name"]) == (
        CUSTOMER["first_name"],
        CUSTOMER["last_name"],
    )
    assert sale.delivery["city"] == ADDRESS["city"]


@pytest.mark.parametrize("name", ["first_name", "last_name"])
def test_half_a_name_is_not_mixed_with_the_buyers(shop, name):
    address = {**ADDRESS, name: ""}

    wrong = refused(delivery={"method": "2", "price": "3.95", "address": address})

    assert wrong == {f"delivery.address.{name}": "This field is required."}


def test_without_numbers_of_our_own_those_of_the_answer_are_kept(shop, configure):
    configure(OWN_VOUCHER_CODES=False)
    shop.behaviour.sales_echo_codes = True

    order = place()

    assert [item.voucher_no for item in order.items] == shop.sales()[0].vouchers


def test_the_answer_is_believed_where_our_numbers_were_ignored(shop):
    shop.behaviour.update({"own_codes": "ignore", "sales_echo_codes": True})

    order = place()

    assert [item.voucher_no for item in order.items] == shop.sales()[0].vouchers


def test_where_our_numbers_are_refused_the_order_is_sent_without(shop):
    shop.behaviour.own_codes = "refuse"

    order = place()

    assert order.status == OrderStatus.PLACED
    assert [item.voucher_no for item in order.items] == [None]
    assert len(shop.sales()) == 1
    assert steps() == [
        ("place", "requested", ""),
        ("place", "failed", "invalid_code"),
        # Refused because of a sale of ours? No such voucher is there.
        ("check", "succeeded", "code_refused"),
        ("place", "requested", ""),
        ("place", "succeeded", ""),
    ]
    assert not stored().own_codes


def test_smart_gift_gets_the_reference_behind_the_shops_prefix(shop, configure):
    configure(REFERENCE_PREFIX="mill-")

    place()

    assert shop.sales()[0].reference == "mill-order-1"


# The same reference again


def test_the_same_order_again_is_the_same_sale(shop):
    first = place()

    # … however its amounts are written, and though the voucher has gone meanwhile.
    VoucherProduct.objects.update(gone_at=timezone.now())
    again = place(
        items=[
            {"product": MONEY, "price": Decimal("50"), "to": " Jane", "from": "John"}
        ]
    )

    assert again == first
    assert len(calls(shop)) == 1


def test_another_order_of_the_same_reference_is_a_conflict(shop):
    place()

    with pytest.raises(SaleError) as error:
        place(items=[{"product": MONEY, "price": "60.00"}])

    assert error.value.code == "reference_conflict"
    assert len(calls(shop)) == 1


def test_a_refused_order_may_be_sent_again_and_changed(shop):
    shop.faults.add(Fault("pos-sale", "refused", field="items.0.id"))
    with pytest.raises(SaleError) as error:
        place()
    assert error.value.code == "order_refused"
    assert "one of the vouchers" in str(error.value.message)
    assert sales.get_order(reference="order-1").status == OrderStatus.REFUSED

    order = place(items=[{"product": MONEY, "price": "60.00"}])

    assert order.status == OrderStatus.PLACED
    assert [sale.total for sale in shop.sales()] == [6000]
    assert VoucherOrderItem.objects.count() == 1


# Nothing left


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("rate_limited", "busy"),
        ("unauthorised", "smartgift_unavailable"),
    ],
    ids=["rate-limited", "bad-key"],
)
def test_an_order_that_was_not_taken_is_queued_and_sent_later(shop, mode, code):
    shop.faults.add(Fault("pos-sale", mode, seconds=7))

    order = place()

    assert (order.status, order.code, order.pending) == (OrderStatus.QUEUED, code, True)
    assert shop.sales() == []
    assert services.advance_due().advanced == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        assert services.advance_due().advanced == 1
    assert stored().status == OrderStatus.PLACED
    assert len(shop.sales()) == 1


def test_a_queued_order_is_tried_when_it_is_placed_again(shop):
    shop.faults.add(Fault("pos-sale", "rate_limited", seconds=60))
    place()

    assert place().status == OrderStatus.PLACED
    assert len(shop.sales()) == 1


def test_where_nothing_listens_nothing_left(shop, configure):
    account = dict(get_conf().account("default").__dict__)
    configure(
        ACCOUNTS={
            "default": {
                "API_KEY": account["api_key"],
                "BASE_URL": "http://127.0.0.1:9",
                "SITE_ID": "1",
            }
        }
    )

    order = place()

    assert (order.status, order.code) == (OrderStatus.QUEUED, "smartgift_unavailable")
    assert steps()[-1] == ("place", "failed", "not_sent")


# Lost answers


LOST = {
    "lost before": {"mode": "lost_before"},
    "lost after": {"mode": "lost_after"},
    "500": {"mode": "status", "status": 500},
    "502 though sold": {"mode": "status", "status": 502, "applied": True},
    "html": {"mode": "html"},
    "garbage though sold": {"mode": "garbage"},
    "half a body": {"mode": "half_body"},
    "nothing in it": {"mode": "empty_success"},
    "slow": {"mode": "slow", "seconds": 20},
    "answered too late": {"mode": "slow_after", "seconds": 20},
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_an_order_without_an_answer_is_not_sent_again(shop, configure, fault):
    configure(TIMEOUT=0.3)
    shop.faults.add(Fault("pos-sale", **fault))

    order = place()
    again = place()

    assert order.status == again.status == OrderStatus.PLACING
    assert order.pending
    assert [item.voucher_no for item in order.items] == [None]
    assert services.advance_due().advanced == 0
    assert len(calls(shop)) <= 1
    assert steps() == [("place", "requested", ""), ("place", "unknown", "no_answer")]


@pytest.mark.parametrize(
    "mode", ["lost_after", "garbage", "half_body", "empty_success"]
)
def test_an_order_whose_answer_was_lost_is_found_by_its_voucher(shop, mode):
    shop.faults.add(Fault("pos-sale", mode))
    place()

    with time_machine.travel(timezone.now() + timedelta(seconds=36)):
        services.advance_due()

    order = sales.get_order(reference="order-1")
    (sale,) = shop.sales()
    assert order.status == OrderStatus.PLACED
    assert order.order_id is None
    assert [item.voucher_no for item in order.items] == sale.vouchers
    assert steps()[-1] == ("check", "succeeded", "found")
    assert len(calls(shop)) == 1


def test_an_order_that_cannot_be_found_is_left_to_a_person(shop):
    shop.faults.add(Fault("pos-sale", "lost_before"))
    place()
    sent = stored().sent_at

    with time_machine.travel(sent + timedelta(seconds=36)):
        services.advance_due()
    assert stored().status == OrderStatus.PLACING
    assert stored().next_look_at == sent + timedelta(seconds=130)
    with time_machine.travel(sent + timedelta(seconds=131)):
        services.advance_due()

    assert stored().status == OrderStatus.NEEDS_ATTENTION
    assert stored().attention_code == "sale_unknown"
    assert shop.sales() == []
    assert len(calls(shop)) == 1
    assert place().status == OrderStatus.NEEDS_ATTENTION
    assert len(calls(shop)) == 1


def test_an_order_that_is_applied_late_is_found(shop):
    shop.faults.add(Fault("pos-sale", "apply_late", seconds=100))
    place()
    sent = stored().sent_at

    with time_machine.travel(sent + timedelta(seconds=36)):
        services.advance_due()
    assert stored().status == OrderStatus.PLACING
    shop.clock.advance(101)
    with time_machine.travel(sent + timedelta(seconds=131)):
        services.advance_due()

    assert stored().status == OrderStatus.PLACED
    assert len(shop.sales()) == 1


@pytest.mark.parametrize(
    "message",
    [
        "Voucher is already held",
        "There is not enough balance on this voucher to redeem or the selected "
        "experiences have already been used.",
    ],
    ids=["held", "spent"],
)
def test_a_word_about_a_voucher_that_is_there_means_that_it_was_sold(
    shop, impatient, message
):
    shop.faults.add(Fault("pos-sale", "lost_after"))
    shop.faults.add(Fault("check", "refused", message=message))
    place()

    assert place().status == OrderStatus.PLACED
    assert len(calls(shop)) == 1


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("site_id", "This site number is invalid"),
        ("voucher_no", "The voucher no must be 12 characters."),
        ("filters", "The given data was invalid."),
    ],
)
def test_any_other_word_says_nothing_about_the_voucher(shop, impatient, field, message):
    shop.faults.add(Fault("pos-sale", "lost_before"))
    shop.faults.add(Fault("check", "refused", field=field, message=message, times=None))
    place()

    assert place().status == OrderStatus.PLACING
    assert stored().looks == 1
    for wait in LOOK_AFTER:
        with time_machine.travel(timezone.now() + timedelta(seconds=wait + 1)):
            services.advance_due()
        VoucherOrder.objects.update(next_look_at=timezone.now())
    assert stored().status == OrderStatus.NEEDS_ATTENTION
    assert shop.sales() == []


def test_a_look_that_is_not_answered_is_repeated_and_then_left_to_a_person(shop):
    shop.faults.add(Fault("pos-sale", "lost_after"))
    shop.faults.add(Fault("check", "status", status=503, times=None))
    place()
    now = timezone.now()

    for pause in (35, *LOOK_AFTER):
        assert stored().status == OrderStatus.PLACING
        now += timedelta(seconds=pause + 1)
        with time_machine.travel(now):
            services.advance_due()

    assert stored().status == OrderStatus.NEEDS_ATTENTION
    assert len(calls(shop, "check")) == len(LOOK_AFTER) + 1
    assert len(calls(shop)) == 1


def test_a_full_quota_is_no_look(shop, impatient):
    shop.faults.add(Fault("pos-sale", "lost_after"))
    shop.faults.add(Fault("check", "rate_limited", seconds=3))
    place()

    assert place().status == OrderStatus.PLACING
    assert stored().looks == 0


def test_without_numbers_of_our_own_a_lost_answer_is_a_persons(
    shop, configure, impatient
):
    configure(OWN_VOUCHER_CODES=False)
    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()

    assert place().status == OrderStatus.NEEDS_ATTENTION
    assert stored().attention_code == "sale_unknown"
    assert calls(shop, "check") == []
    assert len(shop.sales()) == 1


def test_a_worker_that_died_after_sending_leaves_an_order_that_is_found(shop):
    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()
    _as_if_its_worker_had_died(stored())

    with time_machine.travel(timezone.now() + timedelta(seconds=39)):
        assert services.advance_due().advanced == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=41)):
        assert services.advance_due().advanced == 1

    assert stored().status == OrderStatus.PLACED
    assert ("place", "unknown", "worker_died") in steps()
    assert len(shop.sales()) == 1


def _as_if_its_worker_had_died(order):
    """Put the row back to what T1 wrote: claimed, and no outcome."""
    last = order.events.order_by("-id").first()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {last._meta.db_table} WHERE id = %s", [last.pk])
    until = order.sent_at + timedelta(seconds=40)
    VoucherOrder.objects.filter(pk=order.pk).update(
        claimed_by="dead", claimed_until=until, next_look_at=until
    )


def test_a_worker_that_died_before_sending_sold_nothing(shop):
    shop.faults.add(Fault("pos-sale", "rate_limited"))
    place()
    VoucherOrder.objects.update(
        next_look_at=timezone.now(), looks=0, refusal="", attempt=0
    )

    services.advance_due()

    assert stored().status == OrderStatus.PLACED
    assert len(shop.sales()) == 1


# References and numbers that are taken


def test_a_taken_reference_is_looked_into(shop):
    """Somebody else's order of that reference: not ours, so a person is told."""
    place("order-1")
    VoucherOrder.objects.update(reference="other", remote_reference="other")

    order = place("order-1", items=[{"product": MONEY, "price": "60.00"}])

    assert order.status == OrderStatus.PLACING
    assert len(shop.sales()) == 1
    with time_machine.travel(timezone.now() + timedelta(seconds=131)):
        services.advance_due()
    assert stored().status == OrderStatus.NEEDS_ATTENTION
    assert stored().attention_code == "reference_taken"


def test_an_order_that_was_doubled_on_the_way_is_found(shop):
    """The first copy was sold, the second one's refusal is what came back."""
    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()
    VoucherOrder.objects.update(status=OrderStatus.QUEUED, next_look_at=timezone.now())

    services.advance_due()

    assert ("place", "failed", "duplicate_reference") in steps()
    assert stored().status == OrderStatus.PLACED
    assert len(shop.sales()) == 1


def test_a_taken_number_after_a_lost_answer_is_not_replaced(shop):
    """A person sent it again; that its number is taken means that it was sold."""
    shop.behaviour.duplicate_reference = "rename"
    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()
    VoucherOrder.objects.update(status=OrderStatus.QUEUED, next_look_at=timezone.now())

    services.advance_due()

    assert stored().status == OrderStatus.PLACED
    assert stored().own_codes
    assert len(shop.sales()) == 1


# Answers that come late


def test_an_answer_after_a_person_decided_still_counts(shop):
    order, receipt = _answered_late(shop)
    VoucherOrder.objects.update(
        status=OrderStatus.NEEDS_ATTENTION, attention_code="sale_unknown", version=99
    )

    services.sales_protocol._take_receipt(order, receipt)

    assert stored().status == OrderStatus.PLACED
    assert stored().order_id == receipt.order_id
    assert stored().attention_code == ""


def test_an_answer_after_another_attempt_is_a_persons(shop):
    order, receipt = _answered_late(shop)
    VoucherOrder.objects.update(status=OrderStatus.PLACED, attempt=2, version=99)

    services.sales_protocol._take_receipt(order, receipt)

    assert stored().status == OrderStatus.NEEDS_ATTENTION
    assert stored().attention_code == "sold_twice"


def test_an_answer_after_a_look_adds_the_number_of_the_order(shop):
    order, receipt = _answered_late(shop)
    VoucherOrder.objects.update(status=OrderStatus.PLACED, version=99)

    services.sales_protocol._take_receipt(order, receipt)

    assert stored().status == OrderStatus.PLACED
    assert stored().order_id == receipt.order_id


def _answered_late(shop):
    """Return an order as its worker knows it, and the answer it is about to get."""
    from wagtail_smartgift.client import SaleReceipt

    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()
    return stored(), SaleReceipt(order_id=shop.sales()[0].order_id)


# Validation


def test_a_misspelt_reference_is_refused(shop):
    for reference in ("", "a b", "a/b", "é", "x" * 65, 12):
        with pytest.raises(SaleError) as error:
            place(reference)
        assert list(error.value.fields) == ["reference"]
    assert calls(shop) == []


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"product": 999, "price": "50.00"}, "product"),
        ({"product": 45}, "product"),  # disabled
        ({"product": 46, "price": "10.00"}, "product"),  # at the counter only
        ({"product": 43}, "product"),  # sold out
        ({"price": "50.00"}, "product"),
        ({"product": "37", "price": "50.00"}, "product"),
        ({"product": True, "price": "50.00"}, "product"),
        ({"product": MONEY}, "price"),
        ({"product": MONEY, "price": "9.99"}, "price"),
        ({"product": MONEY, "price": "5.00"}, "price"),
        ({"product": MONEY, "price": "1005.00"}, "price"),
        ({"product": MONEY, "price": "52.00"}, "price"),
        ({"product": MONEY, "price": "50.001"}, "price"),
        ({"product": MONEY, "price": "1e3"}, "price"),
        ({"product": MONEY, "price": "-50"}, "price"),
        ({"product": MONEY, "price": "50.00", "persons": 2}, "persons"),
        ({"product": TEA}, "persons"),
        ({"product": TEA, "persons": 7}, "persons"),
        ({"product": TEA, "persons": 0}, "persons"),
        ({"product": TEA, "persons": 2, "price": "29.50"}, "price"),
        ({"product": MONEY, "price": "50.00", "to": "x" * 256}, "to"),
        ({"product": MONEY, "price": "50.00", "to": "a\nb"}, "to"),
        ({"product": MONEY, "price": "50.00", "message": "a\0b"}, "message"),
        ({"product": MONEY, "price": "50.00", "message": "x" * 1001}, "message"),
        ({"product": MONEY, "price": "50.00", "sender": "John"}, "sender"),
    ],
)
def test_an_item_that_cannot_be_sold_is_refused(shop, item, field):
    assert list(refused(items=[item])) == [f"items.0.{field}"]
    assert calls(shop) == []


def test_a_hidden_voucher_can_be_sold(shop):
    assert place(items=[{"product": 44, "persons": 2}]).status == OrderStatus.PLACED


def test_no_more_than_the_stock_is_sold(shop):
    four = [{"product": BREAD} for _ in range(4)]

    assert set(refused(items=four)) == {f"items.{n}.product" for n in range(4)}
    assert place(items=four[:3]).status == OrderStatus.PLACED


def test_every_fault_is_told_at_once(shop):
    wrong = refused(
        items=[{"product": TEA}, {"product": MONEY, "price": "x"}],
        customer={**CUSTOMER, "email": "john", "city": " ", "shoe_size": "9"},
        delivery={"method": "9", "date": "soon"},
    )

    # The shape comes first; what it costs is asked of a well-formed order.
    assert set(wrong) == {
        "items.1.price",
        "customer.email",
        "customer.city",
        "customer.shoe_size",
        "delivery.price",
        "delivery.date",
    }


@pytest.mark.parametrize(
    ("delivery", "field"),
    [
        ({"method": "9", "price": "0.00"}, "method"),
        ({"method": "", "price": "0.00"}, "method"),
        ({"price": "0.00"}, "method"),
        ({"method": "2", "price": "3.95"}, "address"),
        ({"method": "1", "price": "-1"}, "price"),
        ({"method": "1", "price": "0.00", "date": "2020-02-30"}, "date"),
        ({"method": "1", "price": "0.00", "date": "2020-01-01"}, "date"),
        ({"method": "1", "price": "0.00", "date": "2999-01-01"}, "date"),
        ({"method": "1", "price": "0.00", "date": timezone.now()}, "date"),
        (
            {"method": "2", "price": "3.95", "address": {**ADDRESS, "postcode": ""}},
            "address.postcode",
        ),
    ],
)
def test_a_delivery_that_cannot_be_made_is_refused(shop, delivery, field):
    assert list(refused(delivery=delivery)) == [f"delivery.{field}"]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-1, "This day has passed."),
        (367, "Choose a day within a year from today."),
    ],
)
def test_a_day_is_refused_as_the_forms_refuse_it(shop, days, said):
    day = timezone.localdate() + timedelta(days=days)

    wrong = refused(delivery={"method": "1", "price": "0.00", "date": day})

    assert wrong == {"delivery.date": said}


@pytest.mark.parametrize("items", [[], None, "37", {"product": 37}, [[37]], [None]])
def test_what_is_no_list_of_vouchers_is_refused(shop, items):
    assert refused(items=items)
    assert calls(shop) == []


def test_a_dry_run_stores_and_sells_nothing(shop):
    order = place(items=[{"product": TEA, "persons": 2}], dry_run=True)

    assert order.items[0].price == Decimal("59.00")
    assert not VoucherOrder.objects.exists()
    assert calls(shop) == []
    assert refused(items=[{"product": TEA}], dry_run=True)


def test_a_dry_run_tells_a_taken_reference(shop):
    placed = place()

    assert place(dry_run=True) == placed
    with pytest.raises(SaleError) as error:
        place(items=[{"product": TEA, "persons": 2}], dry_run=True)
    assert error.value.code == "reference_conflict"


# Payment methods


def test_the_shop_chooses_how_its_orders_are_booked(shop, configure):
    configure(PAYMENT_METHOD=14)

    place("order-1")
    place("order-2", payment_method=13)

    assert [sale.payment_method_id for sale in shop.sales()] == [14, 13]


def test_a_payment_method_that_smart_gift_does_not_list_is_refused(shop):
    assert list(refused(payment_method=99)) == ["payment_method"]


def test_an_order_that_came_before_the_list_was_read_gets_its_method(shop):
    CatalogueSync.objects.all().delete()

    assert place().status == OrderStatus.PLACED
    assert shop.sales()[0].payment_method_id == 12


def test_an_order_waits_for_the_list_of_payment_methods(shop):
    CatalogueSync.objects.all().delete()
    shop.faults.add(Fault("payment-methods", "status", status=503, times=None))

    order = place()

    assert (order.status, order.code) == (OrderStatus.QUEUED, "smartgift_unavailable")
    assert calls(shop) == []
    shop.faults.clear()
    with time_machine.travel(timezone.now() + timedelta(seconds=20)):
        services.advance_due()
    assert stored().status == OrderStatus.PLACED


def test_payment_methods_are_read_once(shop):
    before = len(calls(shop, "payment-methods"))

    assert [method.id for method in sales.payment_methods()] == [12, 13, 14]
    assert len(calls(shop, "payment-methods")) == before


def test_payment_methods_that_cannot_be_read_are_said_to_be_unavailable(shop):
    CatalogueSync.objects.all().delete()
    shop.faults.add(Fault("payment-methods", "status", status=503))

    with pytest.raises(SaleError) as error:
        sales.payment_methods()

    assert error.value.code == "smartgift_unavailable"


# Rows of another company, and what the host hears


def test_an_order_of_another_account_is_left_alone(shop, configure, caplog):
    shop.faults.add(Fault("pos-sale", "rate_limited"))
    place()
    VoucherOrder.objects.update(next_look_at=timezone.now())
    url = get_conf().account("default").base_url
    configure(
        ACCOUNTS={"default": {"API_KEY": "other", "BASE_URL": url, "SITE_ID": "1"}}
    )

    assert services.advance_due() == services.Progress(advanced=0, failed=0, foreign=1)
    assert place().status == OrderStatus.QUEUED
    assert len(calls(shop)) == 1
    assert "left alone" in caplog.text


def test_a_number_that_cannot_be_read_is_left_to_a_person(shop, configure):
    shop.faults.add(Fault("pos-sale", "rate_limited"))
    place()
    configure(ENCRYPTION_KEYS=["another key altogether"])

    assert place().status == OrderStatus.NEEDS_ATTENTION
    assert stored().attention_code == "undecryptable"
    assert len(calls(shop)) == 1


def test_the_host_hears_of_it_once(shop, django_capture_on_commit_callbacks):
    heard = []

    def listen(event, data, **_kwargs):
        heard.append((event, data.reference, data.status))

    signals.voucher_order_placed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            place()
        with django_capture_on_commit_callbacks(execute=True):
            place()
    finally:
        signals.voucher_order_placed.disconnect(listen)

    assert heard == [("voucher_order.placed", "order-1", "placed")]


def test_one_bad_order_does_not_stop_the_others(shop, caplog):
    shop.faults.add(Fault("pos-sale", "rate_limited", times=2))
    place("order-1")
    place("order-2")
    VoucherOrder.objects.update(next_look_at=timezone.now())
    VoucherOrder.objects.filter(reference="order-1").update(customer={"nonsense": 1})

    assert services.advance_due() == services.Progress(advanced=1, failed=1, foreign=0)
    assert stored("order-2").status == OrderStatus.PLACED
    assert stored("order-1").next_look_at > timezone.now()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_of_the_hosts_is_refused(sandbox):
    VoucherProduct.objects.create(
        account="default",
        remote_id=MONEY,
        title="Voucher",
        type="monetary",
        status="active",
        min_amount=10,
        max_amount=100,
        increment=5,
        first_seen_at=timezone.now(),
        changed_at=timezone.now(),
    )

    with pytest.raises(RuntimeError), transaction.atomic():
        place()

    assert calls(sandbox) == []


def test_an_unknown_order_is_not_found(db):
    with pytest.raises(SaleError) as error:
        sales.get_order(reference="nothing")

    assert error.value.code == "not_found"

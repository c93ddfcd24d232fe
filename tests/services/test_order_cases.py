"""What a person says of a sale of which nobody knows whether it was made."""

import pytest
from django.contrib.auth.models import User
from wagtail.models import ModelLogEntry

from tests.services.test_sales import make_body
from wagtail_smartgift import sales
from wagtail_smartgift.choices import Verdict
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import OutboxEvent, VoucherOrder, VoucherOrderEvent
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, order_cases, vault
from wagtail_smartgift.services import sales as services
from wagtail_smartgift.services.cases import SETTLE_ACTION, Moved, NotSettled


pytestmark = pytest.mark.django_db

V = Verdict


@pytest.fixture
def shop(sandbox, configure):
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    configure(SETTLE=0, LATE=0)
    return sandbox


@pytest.fixture
def clerk(db):
    return User.objects.create_user("miller")


@pytest.fixture
def lose(shop):
    """Return a function that places an order whose answer is lost, to a person."""

    def place(mode, **changes):
        shop.faults.add(Fault(operation="pos-sale", mode=mode))
        sales.place_order(reference="order-1", **make_body(**changes))
        services.advance_due()
        order = VoucherOrder.objects.get()
        if mode == "lost_before":
            assert order.status == "needs_attention"
        return order

    return place


@pytest.fixture
def say(clerk):
    def settle(order, verdict, *, seen=None, note="In the dashboard.", **values):
        return order_cases.settle(
            order_id=order.pk,
            verdict=verdict,
            seen=order.version if seen is None else seen,
            user=clerk,
            note=note,
            **values,
        )

    return settle


def without_codes(shop, configure, lose, mode="lost_after"):
    configure(OWN_VOUCHER_CODES=False)
    order = lose(mode)
    assert order.attention_code == "sale_unknown"
    return order


def test_it_was_sold(shop, configure, lose, say):
    order = without_codes(shop, configure, lose)
    (sale,) = shop.sales()

    settled = say(
        order, V.SOLD, order_number=sale.order_id, voucher_numbers={0: sale.vouchers[0]}
    )

    assert settled.status == "placed"
    state = sales.get_order(reference="order-1")
    assert (state.order_id, state.items[0].voucher_no) == (
        sale.order_id,
        sale.vouchers[0],
    )
    assert len(shop.sales()) == 1
    assert OutboxEvent.objects.last().type == "voucher_order.placed"


def test_sold_without_knowing_its_numbers(shop, configure, lose, say):
    settled = say(without_codes(shop, configure, lose), V.SOLD)

    assert settled.status == "placed"
    assert sales.get_order(reference="order-1").items[0].voucher_no is None


def test_it_was_not_sold_and_is_sold_now(shop, lose, say):
    order = lose("lost_before")
    number = vault.open_sealed(order.items.get().number_encrypted)

    settled = say(order, V.NOT_SOLD)

    assert settled.status == "placed"
    (sale,) = shop.sales()
    # Under the same reference and number as before.
    assert (sale.reference, sale.vouchers) == ("order-1", [number])


def test_it_was_not_sold_and_is_given_up(shop, lose, say):
    settled = say(lose("lost_before"), V.GIVEN_UP)

    assert (settled.status, settled.refusal) == ("refused", "given_up")
    assert shop.sales() == []
    assert OutboxEvent.objects.last().type == "voucher_order.failed"


def test_it_is_looked_for_again_and_found(shop, lose, say):
    order = lose("lost_before")
    number = vault.open_sealed(order.items.get().number_encrypted)
    shop.add_voucher(number, balance="50.00")

    settled = say(order, V.LOOK_AGAIN)

    assert settled.status == "placed"
    assert [line.operation for line in shop.log()].count("pos-sale") == 1


def test_it_is_looked_for_again_in_vain(shop, lose, say):
    settled = say(lose("lost_before"), V.LOOK_AGAIN)

    assert (settled.status, settled.attention_code) == (
        "needs_attention",
        "sale_unknown",
    )
    assert shop.sales() == []


def test_a_taken_reference_is_never_sent_again(shop, lose, say):
    order = lose("lost_before")
    VoucherOrder.objects.update(attention_code="reference_taken")
    order.refresh_from_db()

    with pytest.raises(NotSettled):
        say(order, V.NOT_SOLD)

    assert V.LOOK_AGAIN in order_cases.verdicts(order)
    assert shop.sales() == []


def test_what_was_sold_twice_keeps_the_one_that_stands(shop, lose, say):
    order = lose("lost_before")
    VoucherOrder.objects.update(attention_code="sold_twice")
    order.refresh_from_db()
    assert order_cases.verdicts(order) == (V.SOLD, V.GIVEN_UP)

    assert say(order, V.SOLD, order_number="SG-2").order_id == "SG-2"


def test_a_number_that_cannot_be_read_never_left(shop, configure, say):
    """Its key was gone before it was sent: put back, it is sent."""
    keys = get_conf().encryption_keys
    shop.faults.add(Fault(operation="pos-sale", mode="rate_limited"))
    sales.place_order(reference="order-1", **make_body())
    order = VoucherOrder.objects.get()
    VoucherOrder.objects.update(
        status="needs_attention", attention_code="undecryptable", sent_at=None
    )
    order.refresh_from_db()
    assert keys

    assert say(order, V.LOOK_AGAIN).status == "placed"
    assert len(shop.sales()) == 1


def test_a_word_is_written_with_who_and_why(shop, lose, say, clerk):
    order = say(lose("lost_before"), V.GIVEN_UP, note="Not in the dashboard.")

    event = VoucherOrderEvent.objects.get(operation="settle")
    assert (event.actor, event.note, event.reason, event.status) == (
        "miller",
        "Not in the dashboard.",
        "given_up",
        "refused",
    )
    entry = ModelLogEntry.objects.get(action=SETTLE_ACTION)
    assert (entry.user, entry.object_id) == (clerk, str(order.pk))


def test_a_second_word_does_nothing(shop, lose, say):
    order = lose("lost_before")
    seen = order.version
    say(order, V.GIVEN_UP)

    with pytest.raises(Moved):
        say(VoucherOrder.objects.get(), V.SOLD, seen=seen)

    assert VoucherOrder.objects.get().status == "refused"
    assert VoucherOrderEvent.objects.filter(operation="settle").count() == 1


def test_numbers_are_kept_out_of_reasons(shop, lose, say):
    order = lose("lost_before")
    number = vault.open_sealed(order.items.get().number_encrypted)

    for note, numbers in ((f"It is {number}.", {}), ("NEW 1 is it.", {0: "NEW1"})):
        with pytest.raises(NotSettled) as error:
            say(order, V.SOLD, note=note, voucher_numbers=numbers)
        assert error.value.problem == "number_in_note"

    assert VoucherOrder.objects.get().status == "needs_attention"


def test_a_vouchers_number_is_no_number_of_an_order(shop, configure, lose, say):
    order = without_codes(shop, configure, lose)
    number = shop.sales()[0].vouchers[0]

    with pytest.raises(NotSettled) as error:
        say(order, V.SOLD, order_number=number.lower(), voucher_numbers={0: number})

    assert error.value.problem == "number_as_order"
    assert VoucherOrder.objects.get().status == "needs_attention"


def test_what_cannot_be_seen_takes_no_numbers_place(shop, lose, say):
    order = lose("lost_before")
    before = order.items.values("number_encrypted", "display_code").get()

    settled = say(order, V.SOLD, voucher_numbers={0: "\u200b \u2060"})

    assert settled.status == "placed"
    assert order.items.values("number_encrypted", "display_code").get() == before


def test_a_voucher_of_another_order_is_refused(shop, configure, lose, say):
    other = sales.place_order(reference="order-0", **make_body())
    shop.faults.add(Fault(operation="pos-sale", mode="lost_before"))
    sales.place_order(reference="order-1", **make_body())
    services.advance_due()
    order = VoucherOrder.objects.get(reference="order-1")

    with pytest.raises(NotSettled) as error:
        say(order, V.SOLD, voucher_numbers={0: other.items[0].voucher_no})

    assert error.value.problem == "number_of_another"
    assert VoucherOrder.objects.get(pk=order.pk).status == "needs_attention"
    assert not VoucherOrderEvent.objects.filter(operation="settle").exists()


def test_a_copy_of_the_database_settles_nothing(shop, lose, say):
    order = lose("lost_before")
    VoucherOrder.objects.update(account_key_hash="another")
    order.refresh_from_db()

    with pytest.raises(NotSettled) as error:
        say(order, V.NOT_SOLD)

    assert error.value.problem == "foreign"
    assert shop.sales() == []

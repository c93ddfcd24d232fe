"""Refusals of a sale: looked into before they are told, since a copy may have sold."""

import pytest
from django.db.models import F
from django.utils import timezone

from tests.services.test_sales import BREAD, make_body
from wagtail_smartgift import sales
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.models import CapabilityRecord, VoucherOrder
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import sales_protocol

from .world import Killed, twice


def place(**changes):
    return sales.place_order(reference="order-1", **make_body(**changes))


def stored():
    return VoucherOrder.objects.get()


def steps():
    return list(stored().events.values_list("operation", "outcome", "reason"))


def told():
    return list(stored().outbox.values_list("type", flat=True))


@pytest.mark.parametrize("behaviour", ["refuse", "rename", "repeat", "echo"])
def test_an_order_that_a_proxy_sent_twice_is_found(world, shop, behaviour):
    """Our number is taken: by the first copy of the very same request."""
    shop.behaviour.duplicate_reference = behaviour
    world.on_the_wire("/pos-sale", twice)

    order = place()

    assert (order.status, order.placed_now) == (OrderStatus.PLACED, True)
    assert stored().own_codes
    assert len(shop.sales()) == 1
    assert told() == ["voucher_order.placed"]


@pytest.mark.parametrize("answered", [True, False], ids=["at once", "by the sweep"])
def test_the_last_one_that_a_proxy_sold_first_is_no_refusal(world, shop, answered):
    """There are three loaves: the first copy takes two, and the second finds one."""
    shop.behaviour.duplicate_reference = "rename"
    if not answered:
        shop.faults.add(Fault("check", "status", status=503, times=3))
    world.on_the_wire("/pos-sale", twice)

    order = place(items=[{"product": BREAD}, {"product": BREAD}])

    if not answered:
        assert (order.status, order.code) == (OrderStatus.PLACING, None)
        world.until_quiet()
    assert (stored().status, stored().refusal) == (OrderStatus.PLACED, "")
    assert len(shop.sales()) == 1
    assert told() == ["voucher_order.placed"]


def test_a_refusal_is_told_when_nothing_of_ours_is_found(shop):
    shop.faults.add(
        Fault("pos-sale", "refused", field="customer.email", message="Not ours.")
    )

    with pytest.raises(SaleError) as error:
        place()

    assert error.value.code == "order_refused"
    assert (stored().refusal, stored().refusal_detail) == ("customer", "Not ours.")
    assert steps()[1:] == [
        ("place", "failed", "unknown"),
        ("check", "succeeded", "not_found"),
    ]
    assert told() == ["voucher_order.failed"]
    assert shop.sales() == []


def test_a_refusal_that_cannot_be_looked_into_is_not_told_yet(world, shop):
    refusal = {"field": "customer.email", "message": "Not ours."}
    shop.faults.add(Fault("pos-sale", "refused", **refusal))
    shop.faults.add(Fault("check", "status", status=503, times=3))

    order = place()

    assert (order.status, order.code) == (OrderStatus.PLACING, None)
    assert told() == []
    world.until_quiet()
    assert (stored().status, stored().refusal) == (OrderStatus.REFUSED, "customer")
    assert told() == ["voucher_order.failed"]


def test_without_numbers_of_our_own_a_refusal_is_believed(shop, configure):
    configure(OWN_VOUCHER_CODES=False)
    shop.faults.add(Fault("pos-sale", "refused", field="customer.email", message="No."))

    with pytest.raises(SaleError):
        place()

    assert steps()[1:] == [("place", "failed", "unknown")]
    assert "check" not in [line.operation for line in shop.log()]


@pytest.mark.parametrize("known", [True, None], ids=["probed", "not probed"])
def test_a_taken_number_that_may_not_be_found_yet_is_not_given_up(world, shop, known):
    """Where a probe has seen that a new number is not found at once, it is waited for."""
    if known:
        record = CapabilityRecord(
            probed_at=timezone.now(), own_codes="honoured", code_checkable_at_once=False
        )
        record.bind_to(get_conf().account("default"))
        record.save()
    shop.behaviour.duplicate_reference = "rename"
    shop.behaviour.new_code_checkable_at_once = not known
    world.on_the_wire("/pos-sale", twice)

    order = place()

    assert order.status == (OrderStatus.PLACING if known else OrderStatus.PLACED)
    world.until_quiet()
    assert (stored().status, stored().own_codes) == (OrderStatus.PLACED, True)
    assert len(shop.sales()) == 1


def test_an_answer_to_what_was_refused_is_none_to_what_was_sent_anew(
    world, shop, monkeypatch
):
    """Given up by a person, and stored anew with other content, while the first hung."""
    begin, anew = sales_protocol._begin, []

    def die(order):
        raise Killed

    def hangs(call):
        VoucherOrder.objects.update(
            status="refused",
            claimed_by="",
            claimed_until=None,
            version=F("version") + 1,
        )
        monkeypatch.setattr(sales_protocol, "_begin", die)
        with world.mortal():
            place(items=[{"product": 37, "price": "20.00"}])
        monkeypatch.setattr(sales_protocol, "_begin", begin)
        anew.append(stored().status)
        return call()

    world.on_the_wire("/pos-sale", hangs)
    place()

    assert anew == ["queued"]
    assert (stored().status, stored().attention_code) == (
        "needs_attention",
        "sold_twice",
    )
    assert [item.price for item in stored().items.all()] == [20]
    assert len(shop.sales()) == 1

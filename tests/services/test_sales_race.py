"""Two workers on one order: whoever is slower joins, and one sale comes of it."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from wagtail_smartgift import sales
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, gateway
from wagtail_smartgift.services import sales as services

from .test_sales import CUSTOMER, MONEY, make_body


@pytest.fixture
def shop(sandbox):
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    return sandbox


@pytest.fixture
def before(monkeypatch):
    """Return a function that runs something once, just before a function is called."""

    def interleave(owner, name, rival):
        original = getattr(owner, name)

        def call(*args, **kwargs):
            monkeypatch.setattr(owner, name, original)
            rival()
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    return interleave


def place(**changes):
    return sales.place_order(reference="order-1", **make_body(**changes))


@pytest.mark.django_db
def test_the_slower_of_two_that_store_an_order_joins_the_faster(shop, before):
    rival = []
    before(services, "_store", lambda: rival.append(place()))

    order = place()

    assert order == rival[0]
    assert (rival[0].placed_now, order.placed_now) == (True, False)
    assert order.status == OrderStatus.PLACED
    assert len(shop.sales()) == 1
    assert VoucherOrderItem.objects.count() == 1


@pytest.mark.django_db
def test_the_slower_of_two_different_orders_is_a_conflict(shop, before):
    before(services, "_store", place)

    with pytest.raises(SaleError) as error:
        place(customer={**CUSTOMER, "first_name": "Joan"})

    assert error.value.code == "reference_conflict"
    assert len(shop.sales()) == 1


@pytest.mark.django_db
def test_the_slower_of_two_is_told_that_the_order_was_refused(shop, before):
    def rival():
        shop.faults.add(Fault("pos-sale", "refused", field="items.0.id"))
        with pytest.raises(SaleError):
            place()

    before(services, "_store", rival)

    assert place().status == OrderStatus.PLACED
    assert len(shop.sales()) == 1


@pytest.mark.django_db
def test_the_slower_of_two_that_send_an_order_sends_nothing(shop, before):
    shop.faults.add(Fault("pos-sale", "rate_limited"))
    place()
    before(services.sales_protocol, "_begin", place)

    order = place()
    assert (order.status, order.placed_now) == (OrderStatus.PLACED, False)
    assert len(shop.sales()) == 1


@pytest.mark.django_db
def test_the_slower_of_two_that_look_for_an_order_does_not(shop, before, configure):
    configure(SETTLE=0)
    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()
    before(services.sales_looking, "_claim_look", services.advance_due)

    order = place()
    assert (order.status, order.placed_now) == (OrderStatus.PLACED, False)
    assert len([line for line in shop.log() if line.operation == "check"]) == 1


@pytest.mark.django_db
def test_an_order_that_was_changed_meanwhile_is_not_sent_as_it_was(shop, before):
    """Refused and sent anew with other content, while we were about to send it."""
    shop.faults.add(Fault("pos-sale", "rate_limited"))
    place()

    def rival():
        shop.faults.add(Fault("pos-sale", "refused", field="items.0.id"))
        with pytest.raises(SaleError):
            place()
        shop.faults.add(Fault("pos-sale", "rate_limited"))
        place(items=[{"product": MONEY, "price": "60.00"}])

    before(services.sales_protocol, "_begin", rival)
    VoucherOrder.objects.update(next_look_at=timezone.now())
    services.advance_due()

    assert shop.sales() == []
    VoucherOrder.objects.update(next_look_at=timezone.now())
    services.advance_due()
    assert [sale.total for sale in shop.sales()] == [6000]


@pytest.mark.django_db(transaction=True)
def test_threads_that_place_one_order_sell_it_once(shop):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no in-memory database; needs a file or a server")
    shop.faults.add(Fault("pos-sale", "slow", seconds=0.2, times=None))
    barrier = threading.Barrier(6)
    orders, errors = [], []

    def work():
        try:
            barrier.wait(10)
            orders.append(place())
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert errors == []
    assert {order.status for order in orders} <= {
        OrderStatus.PLACED,
        OrderStatus.PLACING,
        OrderStatus.QUEUED,
    }
    assert [order.placed_now for order in orders].count(True) == 1
    assert len(shop.sales()) == 1
    assert VoucherOrder.objects.get().status == OrderStatus.PLACED
    assert VoucherOrder.objects.get().updated_at <= timezone.now()
    gateway.close_all()

"""The sync against a Smart Gift of its own, over real HTTP."""

import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_product
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import CatalogueSync, VoucherProduct
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.selectors import payment_methods
from wagtail_smartgift.services import catalogue
from wagtail_smartgift.services.catalogue import CatalogueSyncError, SyncResult


pytestmark = pytest.mark.django_db


@pytest.fixture
def account(sandbox):
    return get_conf().account("default")


def listed(sandbox):
    return sum(product.company_id == 1 for product in sandbox.products())


def rows():
    return {
        row["remote_id"]: row for row in VoucherProduct.objects.order_by("id").values()
    }


def writes(queries):
    return [
        query["sql"]
        for query in queries
        if "voucherproduct" in query["sql"]
        and not query["sql"].lstrip().startswith("SELECT")
    ]


def test_first_sync_adds_what_is_listed(account, sandbox):
    result = catalogue.sync(account)

    assert result == SyncResult(
        added=listed(sandbox), changed=0, unchanged=0, gone=0, returned=0
    )
    money = VoucherProduct.objects.get(remote_id=37)
    assert (money.type, money.status) == ("monetary", "active")
    assert (money.min_amount, money.max_amount, money.increment) == (
        Decimal("10.00"),
        Decimal("1000.00"),
        Decimal("5.00"),
    )
    tea = VoucherProduct.objects.get(remote_id=39)
    assert (tea.type, tea.price) == ("experience", Decimal("29.50"))
    assert (tea.persons_min, tea.persons_max) == (2, 6)


def test_all_statuses_are_kept_and_told_apart(account):
    catalogue.sync(account)

    availability = {
        product.remote_id: product.availability
        for product in VoucherProduct.objects.all()
    }
    assert availability[37] == Availability.ON_SALE
    assert availability[43] == Availability.SOLD_OUT
    assert availability[44] == Availability.ON_SALE  # hidden: by its address
    assert availability[45] == Availability.OFF_SALE
    assert availability[46] == Availability.AT_COUNTER_ONLY


def test_unknown_status_and_type_are_kept_off_sale(account, sandbox):
    with sandbox.at_work():
        sandbox._store.products[37].status = "seasonal"
        sandbox._store.products[38].type = "subscription"

    catalogue.sync(account)

    seasonal = VoucherProduct.objects.get(remote_id=37)
    assert (seasonal.status, seasonal.remote_status) == ("unknown", "seasonal")
    assert seasonal.availability == Availability.OFF_SALE
    assert not seasonal.is_listed
    other = VoucherProduct.objects.get(remote_id=38)
    assert other.type == "unknown"
    assert other.availability == Availability.OFF_SALE


def test_again_changes_and_writes_nothing(account, sandbox):
    catalogue.sync(account)
    before = rows()
    changed_at = CatalogueSync.objects.get().changed_at

    with CaptureQueriesContext(
        connection,
    ) as queries:
        result = catalogue.sync(account)

    assert result == SyncResult(
        added=0, changed=0, unchanged=listed(sandbox), gone=0, returned=0
    )
    assert writes(queries) == []
    assert sum("voucherproduct" in query["sql"] for query in queries) == 1
    assert rows() == before
    assert CatalogueSync.objects.get().changed_at == changed_at


def test_only_what_changed_is_written(account, sandbox):
    catalogue.sync(account)
    before = rows()
    sandbox.change_product(38, title="Another title")

    result = catalogue.sync(account)

    assert (result.changed, result.unchanged) == (1, listed(sandbox) - 1)
    after = rows()
    assert after[38]["title"] == "Another title"
    assert after[38]["first_seen_at"] == before[38]["first_seen_at"]
    assert after[38]["id"] == before[38]["id"]
    assert after[38]["changed_at"] > before[38]["changed_at"]
    assert {i: row for i, row in after.items() if i != 38} == {
        i: row for i, row in before.items() if i != 38
    }


def test_vanished_is_kept_off_sale_and_may_return(account, sandbox):
    catalogue.sync(account)
    kept = sandbox.product(38)
    sandbox.remove_product(38)

    first = catalogue.sync(account)
    second = catalogue.sync(account)

    assert (first.gone, second.gone) == (1, 0)
    gone = VoucherProduct.objects.get(remote_id=38)
    assert gone.gone_at is not None
    assert gone.availability == Availability.GONE

    sandbox.put_product(kept)
    third = catalogue.sync(account)

    assert (third.returned, third.changed, third.added) == (1, 0, 0)
    gone.refresh_from_db()
    assert gone.gone_at is None
    assert gone.availability == Availability.ON_SALE


@pytest.mark.parametrize(
    "fault",
    [
        Fault("vouchers", "garbage"),
        Fault("vouchers", "html"),
        Fault("vouchers", "half_body"),
        Fault("vouchers", "empty_success"),
        Fault("vouchers", "lost_before"),
        Fault("vouchers", "status", status=503),
        Fault("vouchers", "unauthorised"),
    ],
    ids=lambda fault: fault.mode,
)
def test_an_answer_that_fails_leaves_everything(account, sandbox, fault):
    catalogue.sync(account)
    before = rows()
    synced_at = CatalogueSync.objects.get().synced_at
    sandbox.faults.add(replace(fault))

    with pytest.raises(CatalogueSyncError) as caught:
        catalogue.sync(account)

    assert rows() == before
    row = CatalogueSync.objects.get()
    assert row.synced_at == synced_at
    assert row.failed_at is not None
    assert row.failure == caught.value.failure.value
    assert "sk_sandbox" not in str(caught.value)

    catalogue.sync(account)
    assert CatalogueSync.objects.get().failure == ""


def test_an_empty_answer_is_refused_where_there_were_products(account, sandbox):
    catalogue.sync(account)
    before = rows()
    for product in sandbox.products():
        sandbox.remove_product(product.id)

    with pytest.raises(CatalogueSyncError, match="--allow-empty"):
        catalogue.sync(account)
    assert rows() == before

    assert catalogue.sync(account, allow_empty=True).gone == len(before)
    # All are gone already, so that there is nothing to lose any more.
    assert catalogue.sync(account).gone == 0


def test_an_empty_catalogue_is_fine_where_there_never_was_one(account, sandbox):
    for product in sandbox.products():
        sandbox.remove_product(product.id)

    assert catalogue.sync(account) == SyncResult(0, 0, 0, 0, 0)


def test_two_different_products_under_one_id_fail_whole(account, sandbox):
    catalogue.sync(account)
    before = rows()
    with sandbox.at_work():
        sandbox._store.products[38].id = 37

    with pytest.raises(CatalogueSyncError):
        catalogue.sync(account)

    assert rows() == before


def test_the_older_answers_are_on_sale(account, sandbox):
    sandbox.behaviour.docs_version = "V1"

    catalogue.sync(account)

    tea = VoucherProduct.objects.get(remote_id=39)
    assert (tea.status, tea.remote_status) == ("active", "")
    assert (tea.persons_min, tea.persons_max, tea.available_count) == (None, None, None)
    assert list(tea.persons_range) == [1]
    assert tea.availability == Availability.ON_SALE


def test_accounts_do_not_touch_one_another(account):
    other = make_product(5, account="other")

    catalogue.sync(account)

    other.refresh_from_db()
    assert other.gone_at is None


def test_many_products_in_few_queries(account, sandbox):
    template = sandbox.product(37)
    for number in range(1200):
        sandbox.put_product(replace(template, id=10_000 + number))
    written = []

    with CaptureQueriesContext(connection) as queries:
        catalogue.sync(account, progress=lambda *counts: written.append(counts))

    total = listed(sandbox)
    assert written == [(500, total), (1000, total), (total, total)]
    # SQLite may need several statements for a batch, by its limit of variables.
    assert len(writes(queries)) <= 40


@pytest.mark.django_db(transaction=True)
def test_two_syncs_at_once_do_no_harm(account, sandbox):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no in-memory database; needs a file or a server")
    sandbox.behaviour.latency = 0.1
    failures = []

    def run():
        try:
            catalogue.sync(account)
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert VoucherProduct.objects.count() == listed(sandbox)
    assert catalogue.sync(account).unchanged == listed(sandbox)


# Payment methods


def test_payment_methods_are_kept_and_asked_for_once_an_hour(account, sandbox):
    found = catalogue.refresh_payment_methods(account, only_if_old=True)

    assert [(method.id, method.name) for method in found] == [
        (12, "Credit/Debit Card"),
        (13, "Cash"),
        (14, "Online Shop"),
    ]
    assert payment_methods(account) == found
    calls = len(sandbox.log())

    assert catalogue.refresh_payment_methods(account, only_if_old=True) == found
    assert len(sandbox.log()) == calls


def test_payment_methods_stay_when_they_cannot_be_read(account, sandbox):
    found = catalogue.refresh_payment_methods(account)
    sandbox.faults.add(Fault("payment-methods", "garbage"))

    with pytest.raises(CatalogueSyncError):
        catalogue.refresh_payment_methods(account)

    assert payment_methods(account) == found


def test_payment_methods_are_empty_before_the_first_look(account):
    assert payment_methods(account) == ()

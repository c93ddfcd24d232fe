"""What a sync notes of its changes, and what becomes of the notes."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_experience, make_product
from wagtail_smartgift import drift
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import ProductChange, VoucherProduct
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue
from wagtail_smartgift.services import drift as noting
from wagtail_smartgift.services.catalogue import CatalogueSyncError


pytestmark = pytest.mark.django_db


@pytest.fixture
def account(sandbox):
    return get_conf().account("default")


def noted(remote_id=None):
    changes = ProductChange.objects.select_related("product").order_by("pk")
    return [
        (change.product.remote_id, change.field, change.before, change.after)
        for change in changes
        if remote_id in {None, change.product.remote_id}
    ]


def sentences(remote_id, since):
    product = VoucherProduct.objects.get(remote_id=remote_id)
    return [change.sentence for change in drift.of_product(product, since=since)]


def test_what_is_new_or_the_same_is_no_change(account):
    catalogue.sync(account)
    catalogue.sync(account)

    assert noted() == []


def test_each_field_that_differs_is_noted(account, sandbox):
    catalogue.sync(account)
    sandbox.change_product(37, max=90_000, min=500)
    sandbox.change_product(39, title="High tea", value=3200, persons_max=8)

    catalogue.sync(account)

    assert sorted(noted()) == [
        (37, "max_amount", "1000.00", "900.00"),
        (37, "min_amount", "10.00", "5.00"),
        (39, "persons_max", "6", "8"),
        (39, "price", "29.50", "32.00"),
        (39, "title", "Afternoon tea", "High tea"),
    ]


def test_a_description_is_noted_without_its_words(account, sandbox):
    catalogue.sync(account)
    sandbox.change_product(37, description="Something else altogether.")

    catalogue.sync(account)

    [(_id, field, before, after)] = noted()
    assert field == "description"
    assert before != after
    assert (len(before), len(after)) == (16, 16)


def test_stock_is_no_news_but_that_it_ran_out_is(account, sandbox):
    catalogue.sync(account)
    sandbox.change_product(42, available_count=2)
    catalogue.sync(account)
    assert noted() == []

    sandbox.change_product(42, available_count=0)
    catalogue.sync(account)

    assert noted() == [(42, "availability", "on_sale", "sold_out")]


def test_what_vanishes_and_returns_is_noted(account, sandbox):
    catalogue.sync(account)
    kept = sandbox.product(38)
    sandbox.remove_product(38)
    catalogue.sync(account)
    catalogue.sync(account)
    assert noted() == [(38, "availability", "on_sale", "gone")]

    sandbox.put_product(replace(kept, title="Back again"))
    catalogue.sync(account)

    assert noted()[1:] == [
        (38, "title", "A round at the Miller's Arms", "Back again"),
        (38, "availability", "gone", "on_sale"),
    ]


def test_a_sync_that_fails_notes_nothing(account, sandbox):
    catalogue.sync(account)
    sandbox.change_product(37, max=90_000)
    sandbox.faults.add(Fault("vouchers", "half_body"))

    with pytest.raises(CatalogueSyncError):
        catalogue.sync(account)

    assert noted() == []


def test_changes_are_noted_in_as_many_queries_however_many_there_are(account, sandbox):
    template = sandbox.product(37)
    for number in range(400):
        sandbox.put_product(replace(template, id=10_000 + number))
    catalogue.sync(account)

    def queries_of(number):
        for one in range(number):
            more = (sandbox.product(10_000 + one).max or 0) + 500
            sandbox.change_product(10_000 + one, max=more)
        before = ProductChange.objects.count()
        with CaptureQueriesContext(connection) as queries:
            assert catalogue.sync(account).changed == number
        assert ProductChange.objects.count() == before + number
        # SQLite takes the upsert of many products apart, by its limit of variables.
        return sum('INTO "wagtail_smartgift_vou' not in one["sql"] for one in queries)

    assert queries_of(190) == queries_of(5)


@pytest.mark.django_db(transaction=True)
def test_two_syncs_at_once_note_a_change_once(account, sandbox):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no in-memory database; needs a file or a server")
    catalogue.sync(account)
    sandbox.change_product(37, max=90_000)
    sandbox.behaviour.latency = 0.2
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
    assert noted() == [(37, "max_amount", "1000.00", "900.00")]


# Keeping it within bounds


def change(product, field="price", before="1.00", after="2.00", **values):
    values.setdefault("noticed_at", timezone.now())
    return ProductChange.objects.create(
        product=product, field=field, before=before, after=after, **values
    )


def test_of_a_field_the_newest_are_kept(account, sandbox):
    catalogue.sync(account)
    product = VoucherProduct.objects.get(remote_id=37)
    other = VoucherProduct.objects.get(remote_id=38)
    for _turn in range(noting.KEPT_PER_FIELD + 5):
        change(product, "max_amount", after="flapping")
        change(other)
    change(product, "title")
    sandbox.change_product(37, max=90_000)

    catalogue.sync(account)

    kept = ProductChange.objects.filter(product=product, field="max_amount")
    assert kept.count() == noting.KEPT_PER_FIELD
    assert kept.order_by("pk").last().after == "900.00"
    assert product.changes.filter(field="title").count() == 1
    # It did not change, so nothing is asked about it.
    assert other.changes.count() == noting.KEPT_PER_FIELD + 5


def test_what_is_old_is_forgotten(account, sandbox):
    catalogue.sync(account)
    product = VoucherProduct.objects.get(remote_id=38)
    old = timezone.now() - noting.KEPT_FOR
    change(product, noticed_at=old - timedelta(days=1))
    young = change(product, noticed_at=old + timedelta(days=1))
    sandbox.change_product(37, max=90_000)

    catalogue.sync(account)

    assert list(product.changes.all()) == [young]


# Adding it up


def test_changes_are_said_in_the_editors_words():
    at = timezone.now().replace(year=2026, month=3, day=3, hour=12)
    product = make_experience()
    since = at - timedelta(days=9)
    for field, before, after in (
        ("availability", "on_sale", "gone"),
        ("price", "45.00", "50.00"),
        ("persons_max", "", "8"),
        ("description", "a" * 16, "b" * 16),
        ("image", "https://a.example/1.png", ""),
        ("title", "Tea & scones", "High tea"),
    ):
        change(product, field, before, after, noticed_at=at)

    assert sentences(39, since) == [
        "The title changed from “Tea & scones” to “High tea” on 3 Mar 2026.",
        "The description changed on 3 Mar 2026.",
        "The price changed from £45.00 to £50.00 on 3 Mar 2026.",
        "The largest number of people changed from none to 8 on 3 Mar 2026.",
        "The availability changed from “On sale” to “No longer sold” on 3 Mar 2026.",
        "Smart Gift's picture changed on 3 Mar 2026.",
    ]
    assert sentences(39, at) == []


def test_several_changes_of_a_field_are_one_and_back_again_is_none():
    product = make_experience()
    start = timezone.now() - timedelta(days=30)
    for day, (before, after) in enumerate([("45.00", "50.00"), ("50.00", "48.00")]):
        change(product, "price", before, after, noticed_at=start + timedelta(days=day))
    for day, (before, after) in enumerate([("6", "8"), ("8", "6")]):
        change(
            product,
            "persons_max",
            before,
            after,
            noticed_at=start + timedelta(days=day),
        )

    [found] = drift.of_product(product, since=start - timedelta(days=1))

    assert (found.field, found.before, found.after) == ("price", "45.00", "48.00")
    assert found.noticed_at == start + timedelta(days=1)
    # Who knew the first change is told of the second.
    later = drift.of_product(product, since=start + timedelta(hours=1))
    assert [(one.before, one.after) for one in later] == [
        ("50.00", "48.00"),
        ("8", "6"),
    ]


def test_a_status_is_said_where_the_availability_is_the_same():
    product = make_product()
    change(product, "status", "active", "hidden")
    since = timezone.now() - timedelta(days=1)
    assert "from “Active” to “Hidden”" in sentences(37, since)[0]

    change(product, "status", "hidden", "disabled")
    change(product, "availability", "on_sale", "off_sale")

    [found] = sentences(37, since)
    assert found.startswith("The availability changed")


def test_amounts_that_come_in_another_form_are_the_same():
    was = make_product(max_amount=Decimal("40.00"))
    now = VoucherProduct(
        **{
            field.attname: getattr(was, field.attname)
            for field in VoucherProduct._meta.concrete_fields
        }
    )
    now.max_amount = Decimal(40)

    assert noting.note({37: was}, [now], at=timezone.now()) == []
    assert noted() == []

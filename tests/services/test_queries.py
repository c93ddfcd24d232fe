"""What a verb asks of the database does not grow with what is in it.

Each verb runs among the redemptions of former years. It may ask as often as without
them, and no question may be answered by reading a whole table.
"""

import json

import pytest
from django.db import connection, transaction

from tests.benchmarks import overhead
from tests.money.acts import ORDER
from wagtail_smartgift import payments, sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import OutboxEvent, PaymentSession
from wagtail_smartgift.services import catalogue, claims, outbox
from wagtail_smartgift.services.reconciliation import reconcile


#: Tables that grow with the years.
GROWING = {
    f"wagtail_smartgift_{name}"
    for name in (
        *("paymentsession", "sessionsecret", "redemption", "redemptionevent"),
        *("voucherorder", "voucherorderitem", "voucherorderevent", "outboxevent"),
    )
}


@pytest.fixture
def shop(db, sandbox, configure):
    configure(RATE_LIMIT=10_000)
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    return sandbox


def ask(sandbox, turn):
    """Run each verb once; return its queries by its name."""
    reference, number = f"order-{turn}", f"TEST-{turn}"
    sandbox.add_voucher(number, balance="100.00")
    captured = {}

    def noted(name, verb, **values):
        queries = captured[name] = []

        def note(execute, sql, params, many, context):
            queries.append((sql, params))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            verb(**values)

    noted("open", payments.open_session, reference=reference, amount_due="80.00")
    noted("hold", payments.add_voucher, reference=reference, voucher_no=number)
    noted("prepare", payments.prepare, reference=reference)
    noted("confirm", payments.confirm, reference=reference)
    noted("refund", payments.refund, reference=reference, amount="10.00")
    noted("cancel", payments.cancel, reference=reference)
    noted("look", payments.get_session, reference=reference)
    noted("sell", sales.place_order, reference=reference, **ORDER)
    noted("sweep", reconcile)
    return captured


def test_queries_do_not_grow_in_number(shop):
    ask(shop, 0)  # what is only asked once in a process
    before = {name: len(queries) for name, queries in ask(shop, 1).items()}
    overhead.fill(300)

    after = {name: len(queries) for name, queries in ask(shop, 2).items()}

    assert after == before


def test_no_query_reads_a_whole_table(shop):
    overhead.fill(1000)

    found = {
        f"{name}: {scan}"
        for name, queries in ask(shop, 1).items()
        for sql, params in queries
        for scan in scans(sql, params)
    }

    assert found == set()


def scans(sql, params):
    """Return the growing tables that a query reads from end to end."""
    if not sql.startswith(("SELECT", "UPDATE", "DELETE")):
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # With its parameters: whether a partial index fits depends on them.
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            for *_numbers, detail in cursor.fetchall():
                words = detail.split()
                # A partial index has only rows that wait for something.
                if words[0] == "SCAN" and words[1] in GROWING and not partial(detail):
                    yield f"{detail} for {sql}"
            return
        # Of a few rows it would rather read all, index or none.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        [[plan]] = cursor.fetchall()
        plan = json.loads(plan) if isinstance(plan, str) else plan
        for node in nodes(plan[0]["Plan"]):
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING:
                yield f"{node['Relation Name']} for {sql}"


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def partial(detail):
    return any(name in detail for name in PARTIAL)


PARTIAL = (
    "smartgift_session_due",
    "smartgift_redemption_held",
    "smartgift_redemption_one_live",
    "smartgift_order_due",
    "smartgift_outbox_due",
)


@pytest.mark.django_db(transaction=True)
def test_an_event_that_nobody_listens_to_is_done_when_it_is_written(shop):
    ask(shop, 0)

    assert OutboxEvent.objects.exists()
    assert not OutboxEvent.objects.filter(dispatched_at=None).exists()
    assert not OutboxEvent.objects.filter(attempts__gt=0).exists()
    assert outbox.dispatch_due() == 0


@pytest.mark.django_db(transaction=True)
def test_an_event_that_somebody_listens_to_is_told_once(shop, heard):
    ask(shop, 0)

    assert heard.count("session.confirmed") == 1
    assert heard.count("voucher_order.placed") == 1
    # The sync was before anybody listened.
    events = OutboxEvent.objects.exclude(type="catalogue.synced")
    assert set(events.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_a_claim_is_prolonged_once_for_steps_that_follow_at_once(
    sandbox, time_machine_now
):
    payments.open_session(reference="order-1", amount_due="80.00")
    session = PaymentSession.objects.get()

    with claims.claimed(session.pk) as claim:
        until = taken_until(session)
        claim.keep()
        assert taken_until(session) == until

        time_machine_now.shift(2)
        claim.keep()
        assert taken_until(session) > until


@pytest.mark.django_db(transaction=True)
def test_a_claim_of_a_step_that_was_rolled_back_is_not_prolonged(
    sandbox, time_machine_now
):
    payments.open_session(reference="order-1", amount_due="80.00")
    session = PaymentSession.objects.get()

    with claims.claimed(session.pk) as claim:
        until = taken_until(session)
        time_machine_now.shift(2)
        with transaction.atomic():
            claim.renew()
            transaction.set_rollback(True)
        assert taken_until(session) == until

        claim.keep()
        assert taken_until(session) > until
        PaymentSession.objects.update(claimed_by="another")
        time_machine_now.shift(2)
        with pytest.raises(claims.Claimed):
            claim.keep()


def taken_until(session):
    session.refresh_from_db()
    return session.claimed_until

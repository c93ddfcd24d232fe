"""Migrations that change rows, from how a database was before them."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone


APP = "wagtail_smartgift"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database]


def migrate(*targets):
    """Migrate our app to these, or to its newest; return the models as they were then."""
    executor = MigrationExecutor(connection)
    nodes = [(APP, name) for name in targets] or [
        node for node in executor.loader.graph.leaf_nodes() if node[0] == APP
    ]
    executor.migrate(nodes)
    return MigrationExecutor(connection).loader.project_state(nodes).apps


@pytest.fixture
def before_webhooks():
    """The database before events had an account: as 0003 left it."""
    yield migrate("0003_inbox")
    migrate()


def bound(number):
    return {
        "account": f"account-{number}",
        "account_base_url": f"https://gifts-{number}.example",
        "account_key_hash": str(number) * 32,
    }


def test_events_get_the_account_of_what_they_are_about(before_webhooks):
    # given events of two accounts, about a payment and about an order
    now = timezone.now()
    old = before_webhooks.get_model
    session = old(APP, "PaymentSession").objects.create(
        reference="order-1",
        amount_due="80.00",
        amount_eligible="80.00",
        last_active_at=now,
        **bound(1),
    )
    order = old(APP, "VoucherOrder").objects.create(
        reference="order-2", remote_reference="order-2", status="placed", **bound(2)
    )
    events = old(APP, "OutboxEvent").objects
    of_session = events.create(type="session.confirmed", session=session)
    told = events.create(type="voucher.held", session=session, dispatched_at=now)
    of_order = events.create(type="voucher_order.placed", order=order)

    # when the database is brought up to date
    new = migrate().get_model

    # then each is bound as that is, and a sweep of that account sends it
    found = {
        row.pop("pk"): row
        for row in new(APP, "OutboxEvent").objects.values("pk", *bound(1))
    }
    assert found == {of_session.pk: bound(1), told.pk: bound(1), of_order.pk: bound(2)}


def test_messages_that_came_before_are_known_by_their_id(before_webhooks):
    before_webhooks.get_model(APP, "InboxMessage").objects.create(
        webhook_id="msg-1", type="order.paid", status="processed", body_digest="0" * 64
    )

    row = migrate().get_model(APP, "InboxMessage").objects.get()

    assert row.body_digest_encrypted == ""

"""Taking people out in time: what goes, what stays, and what must not be touched."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from tests.factories import make_product
from tests.inbox import ORDER
from wagtail_smartgift import payments, sales, tasks
from wagtail_smartgift.choices import InboxStatus, OrderStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.emails import email_digest
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.models import (
    DeskLookUp,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    RedemptionEvent,
    SessionEmail,
    SessionSecret,
    StoredAnswer,
    VoucherOrder,
    VoucherOrderItem,
)
from wagtail_smartgift.services import catalogue, doctor, forgetting, vault


pytestmark = pytest.mark.django_db

CUSTOMER = {
    "first_name": "John",
    "last_name": "Smith",
    "email": "John@Example.org",
    "phone": "01225 1",
    "address1": "1 Mill Lane",
    "city": "Bath",
    "postcode": "BA1 1AA",
}
ADDRESS = {
    "first_name": "Jane",
    "last_name": "Miller",
    "address1": "2 Weir Cottages",
    "city": "Wendford",
    "postcode": "BA1 1AB",
}
#: Words that are of a person, and must be gone.
PERSONAL = (
    *("John", "Smith", "Example.org", "01225", "Mill Lane", "Jane", "Miller"),
    *("Weir", "Wendford", "BA1", "Rose", "Happy birthday", "Uncle"),
)
ITEM = {
    "product": 37,
    "price": "50.00",
    "to": "Rose",
    "from": "Uncle John",
    "message": "Happy birthday",
}
BODY = {
    "items": [ITEM],
    "customer": CUSTOMER,
    "delivery": {"method": 2, "price": "3.95", "address": ADDRESS},
}


@pytest.fixture
def sell(sandbox):
    """Return a function that sells a voucher as long ago as wanted."""
    catalogue.sync(get_conf().account("default"))

    def place(reference="order-1", *, days=0, **changes):
        sales.place_order(reference=reference, **{**BODY, **changes})
        age(VoucherOrder.objects.filter(reference=reference), days)
        return VoucherOrder.objects.get(reference=reference)

    return place


def age(rows, days):
    """Make rows look as old as that."""
    at = timezone.now() - timedelta(days=days)
    values = {"created_at": at, "updated_at": at}
    if rows.model is PaymentSession:
        values["last_active_at"] = at
    rows.update(**values)


def order_row(reference="old", *, days=800, **values):
    """Make an order without asking anybody."""
    at = timezone.now() - timedelta(days=days)
    account = get_conf().account("default")
    order = VoucherOrder(
        **{
            "reference": reference,
            "remote_reference": reference,
            "status": OrderStatus.PLACED,
            "content_digest": "d" * 64,
            "customer": dict(CUSTOMER),
            "email_digest": email_digest(CUSTOMER["email"]),
            "delivery": {"method": "1", "price": "0.00", "date": None, "address": None},
            "created_at": at,
            "updated_at": at,
            **values,
        }
    )
    order.bind_to(account)
    order.save()
    return order


def session_row(reference="old", *, days=800, **values):
    at = timezone.now() - timedelta(days=days)
    session = PaymentSession(
        **{
            "reference": reference,
            "currency": "GBP",
            "amount_due": 80,
            "amount_eligible": 80,
            "status": SessionStatus.CONFIRMED,
            "metadata": {"email": "john@example.org"},
            "last_active_at": at,
            "created_at": at,
            "updated_at": at,
            **values,
        }
    )
    session.bind_to(get_conf().account("default"))
    session.save()
    SessionEmail.objects.create(
        session=session, digest=email_digest("john@example.org")
    )
    return session


def everything():
    """Return all that the tables of sales and payments say, as text."""
    rows = [
        *VoucherOrder.objects.values(),
        *VoucherOrderItem.objects.values(),
        *PaymentSession.objects.values(),
        *SessionEmail.objects.values(),
    ]
    return json.dumps(rows, default=str)


# -- what goes, and what stays -------------------------------------------------


def test_an_order_keeps_what_was_sold_and_loses_who_bought_it(sell):
    order = sell(days=731)
    [item] = order.items.all()
    events = list(order.events.values())
    text = everything()
    assert all(word in text for word in PERSONAL)

    report = forgetting.prune()

    assert report.orders == 1
    text = everything()
    assert [word for word in PERSONAL if word in text] == []
    kept = VoucherOrder.objects.get()
    assert (kept.reference, kept.status, kept.order_id) == (
        order.reference,
        OrderStatus.PLACED,
        order.order_id,
    )
    assert kept.delivery == {
        "method": "2",
        "price": "3.95",
        "date": None,
        "address": None,
    }
    assert kept.email_digest == ""
    assert kept.forgotten_at is not None
    [kept_item] = kept.items.all()
    assert (kept_item.product, kept_item.price) == (item.product, Decimal("50.00"))
    # The number is money, and says nothing about a person.
    assert kept_item.number_encrypted == item.number_encrypted
    assert list(kept.events.values()) == events
    # And it is still told as a sale.
    told = sales.get_order(reference="order-1")
    assert told.status == OrderStatus.PLACED
    assert told.items[0].voucher_no == vault.open_sealed(item.number_encrypted)


def test_the_same_order_again_is_no_second_sale(sell, sandbox):
    sell(days=731)
    sold = len(sandbox.sales())
    forgetting.prune()

    with pytest.raises(SaleError) as refused:
        sales.place_order(reference="order-1", **BODY)

    assert refused.value.code == "reference_conflict"
    assert len(sandbox.sales()) == sold


def test_a_refused_order_that_comes_again_is_known_again(sell):
    order = order_row("order-1", status=OrderStatus.REFUSED)
    forgetting.prune()
    assert VoucherOrder.objects.get().customer == {}

    sell("order-1")

    order.refresh_from_db()
    assert order.status == OrderStatus.PLACED
    assert order.customer["last_name"] == "Smith"
    assert order.email_digest == email_digest("john@example.org")
    assert order.forgotten_at is None
    assert forgetting.prune().orders == 0


def test_a_payment_keeps_its_journal_and_loses_its_metadata(sandbox):
    payments.open_session(
        reference="order-1",
        amount_due="80.00",
        metadata={"email": "john@example.org", "name": "John Smith"},
    )
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    payments.confirm(reference="order-1")
    before = payments.get_session(reference="order-1")
    journal = list(RedemptionEvent.objects.values())
    age(PaymentSession.objects.all(), 731)

    assert forgetting.prune().payments == 1

    after = payments.get_session(reference="order-1")
    assert after.metadata == {}
    assert not SessionEmail.objects.exists()
    assert (after.amount_redeemed, after.status, after.redemptions) == (
        before.amount_redeemed,
        before.status,
        before.redemptions,
    )
    assert list(RedemptionEvent.objects.values()) == journal
    # Money goes back as it ever did.
    assert payments.refund(reference="order-1").amount_refunded == Decimal("50.00")
    assert sandbox.voucher("GOOD-0050-0001").balance == 50


def test_a_payment_that_is_opened_anew_is_known_again():
    session_row("order-1", status=SessionStatus.OPEN)
    forgetting.prune()
    assert PaymentSession.objects.get().metadata == {}

    payments.open_session(
        reference="order-1", amount_due="80.00", metadata={"email": "new@example.org"}
    )

    session = PaymentSession.objects.get()
    assert session.forgotten_at is None
    assert [row.digest for row in session.emails.all()] == [
        email_digest("new@example.org")
    ]


# -- what is not touched -------------------------------------------------------


@pytest.mark.parametrize(
    "status",
    [OrderStatus.QUEUED, OrderStatus.PLACING, OrderStatus.NEEDS_ATTENTION],
)
def test_an_order_that_is_not_settled_keeps_what_it_needs(status):
    order_row(status=status, sent_at=timezone.now(), erase_asked_at=timezone.now())
    before = everything()

    assert forgetting.prune().orders == 0
    assert everything() == before


@pytest.mark.parametrize(
    "status",
    [
        SessionStatus.CONFIRMING,
        SessionStatus.CANCELLING,
        SessionStatus.REFUNDING,
        SessionStatus.NEEDS_ATTENTION,
    ],
)
def test_a_payment_that_is_not_settled_keeps_what_it_needs(status):
    session_row(status=status, erase_asked_at=timezone.now())
    before = everything()

    assert forgetting.prune().payments == 0
    assert everything() == before


def test_what_is_young_stays():
    order_row(days=729)
    session_row(days=729)
    # Opened long ago, and touched since.
    session_row("busy", last_active_at=timezone.now(), status=SessionStatus.OPEN)
    before = everything()

    forgetting.prune()

    assert everything() == before


def test_a_basket_that_holds_a_voucher_is_left_alone(sandbox):
    payments.open_session(
        reference="order-1", amount_due="80.00", metadata={"name": "John"}
    )
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    age(PaymentSession.objects.all(), 800)

    assert forgetting.prune().payments == 0
    payments.remove_voucher(
        reference="order-1",
        redemption_id=payments.get_session(reference="order-1").redemptions[0].id,
    )
    age(PaymentSession.objects.all(), 800)
    assert forgetting.prune().payments == 1


def test_a_voucher_that_is_still_to_be_sent_keeps_its_address(configure):
    configure(KEEP_PERSONAL_DATA_DAYS=30)
    day = timezone.localdate()
    for reference, sent in (
        ("past", day - timedelta(days=40)),
        ("lately", day - timedelta(days=20)),
        ("to-come", day + timedelta(days=20)),
    ):
        delivery = {"method": "2", "price": "0.00", "date": sent.isoformat()}
        order_row(reference, days=60, delivery={**delivery, "address": ADDRESS})

    forgetting.prune()

    kept = VoucherOrder.objects.filter(forgotten_at__isnull=True)
    assert {order.reference for order in kept} == {"lately", "to-come"}


@pytest.mark.parametrize("days", [float("inf"), 10**9])
def test_for_ever_is_a_time_too(configure, days):
    configure(KEEP_PERSONAL_DATA_DAYS=days)
    order_row()

    assert forgetting.prune().orders == 0
    assert forgetting.overdue() == 0


def test_somebody_was_faster():
    order = order_row()
    VoucherOrder.objects.filter(pk=order.pk).update(version=7)
    before = everything()

    assert forgetting.forget_order(order) is False
    assert everything() == before


def test_a_payment_opened_this_moment_keeps_its_new_metadata():
    """What was selected as old is decided about once more by the UPDATE."""
    session = session_row(status=SessionStatus.OPEN)
    selected = PaymentSession.objects.filter(pk=session.pk)
    payments.open_session(
        reference="old", amount_due="80.00", metadata={"email": "new@example.org"}
    )

    assert forgetting.forget_payments(selected) == 0
    assert PaymentSession.objects.get().metadata == {"email": "new@example.org"}
    assert SessionEmail.objects.get().digest == email_digest("new@example.org")


# -- messages, events, answers, secrets ----------------------------------------


def test_what_is_spent_goes_with_it():
    now = timezone.now()
    session = session_row(days=1)
    for number, (status, days) in enumerate(
        [
            (InboxStatus.PROCESSED, 31),
            (InboxStatus.PROCESSED, 29),
            (InboxStatus.FAILED, 91),
            (InboxStatus.FAILED, 89),
            (InboxStatus.RECEIVED, 900),
        ]
    ):
        InboxMessage.objects.create(
            webhook_id=f"msg-{number}",
            type="order.paid",
            status=status,
            received_at=now - timedelta(days=days),
            finished_at=None
            if status == InboxStatus.RECEIVED
            else now - timedelta(days=days),
            payload_encrypted="x",
        )
    for days, dispatched in ((31, now), (29, now), (31, None)):
        OutboxEvent.objects.create(
            type="session.confirmed",
            session=session,
            created_at=now - timedelta(days=days),
            dispatched_at=dispatched,
        )
    for hours in (-1, 1):
        StoredAnswer.objects.create(
            key_digest=str(hours), expires_at=now + timedelta(hours=hours)
        )
    for days in (31, 29, -1):
        SessionSecret.objects.create(
            session=session, digest=str(days), expires_at=now - timedelta(days=days)
        )

    counted = forgetting.prune(dry_run=True)
    report = forgetting.prune()

    assert (
        vars(report)
        == vars(counted)
        == {
            "orders": 0,
            "payments": 0,
            "messages": 2,
            "events": 1,
            "answers": 1,
            "secrets": 1,
            "counts": 0,
            "look_ups": 0,
        }
    )
    assert set(InboxMessage.objects.values_list("webhook_id", flat=True)) == {
        "msg-1",
        "msg-3",
        "msg-4",
    }
    assert OutboxEvent.objects.count() == 2
    assert set(SessionSecret.objects.values_list("digest", flat=True)) == {"29", "-1"}


def test_who_looked_which_number_up_is_kept_as_long_as_an_order(configure):
    configure(KEEP_PERSONAL_DATA_DAYS=10)
    for days in (11, 12, 9):
        DeskLookUp.objects.create(
            account="default",
            number_encrypted=vault.seal("GOOD-0100-0001"),
            display_code="…0001",
            actor=f"{days} days",
            created_at=timezone.now() - timedelta(days=days),
        )

    assert forgetting.prune(dry_run=True).look_ups == 2
    assert forgetting.prune(batch=1).look_ups == 2

    assert DeskLookUp.objects.get().actor == "9 days"


def test_a_failed_message_is_kept_no_longer_than_an_order(configure):
    configure(KEEP_PERSONAL_DATA_DAYS=10)
    now = timezone.now()
    for number, days in enumerate((11, 9)):
        InboxMessage.objects.create(
            webhook_id=f"msg-{number}",
            type="order.paid",
            status=InboxStatus.FAILED,
            finished_at=now - timedelta(days=days),
            payload_encrypted=vault.seal(json.dumps(ORDER)),
        )

    forgetting.prune()

    assert InboxMessage.objects.get().webhook_id == "msg-1"


# -- as a command, a task, a line of the doctor's ------------------------------


def run(*arguments):
    out = StringIO()
    call_command("smartgift_prune", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_did_and_is_safe_again():
    for number in range(5):
        order_row(f"old-{number}")
        session_row(f"old-{number}")
    before = everything()

    assert "would be forgotten (people after 730 days): orders: 5, payments: 5" in run(
        "--dry-run"
    )
    assert everything() == before
    assert "forgotten (people after 730 days): orders: 5, payments: 5" in run(
        "--batch", "2"
    )
    assert "orders: 0, payments: 0, messages: 0" in run()


def test_the_command_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr(
        "wagtail_smartgift.management.commands.smartgift_prune.PACE", 0.0
    )
    order_row()

    assert "orders: 1 forgotten …" in run()


def test_the_command_fails_where_it_cannot_work():
    with pytest.raises(CommandError, match="above zero"):
        run("--batch", "0")

    def broken(*_args, **_options):
        raise OperationalError("host=db password=hunter2")

    with connection.execute_wrapper(broken), pytest.raises(CommandError) as failed:
        run()
    assert "OperationalError" in str(failed.value)
    assert "hunter2" not in str(failed.value)


def test_the_task_does_the_same():
    order_row()

    result = tasks.prune.enqueue()

    assert result.return_value["orders"] == 1
    assert VoucherOrder.objects.get().customer == {}


def findings():
    return [one for one in doctor.examine(offline=True) if one.about == "personal data"]


def test_the_doctor_says_when_nobody_does_it():
    order_row(days=731)
    [fine] = findings()
    assert fine.level is doctor.Level.OK

    order_row("older", days=733)
    session_row(days=733)
    session_row("asked", days=5, erase_asked_at=timezone.now() - timedelta(days=3))
    [overdue] = findings()
    assert overdue.level is doctor.Level.WARNING
    assert "3 orders and payments" in overdue.says

    forgetting.prune()
    [fine] = findings()
    assert fine.level is doctor.Level.OK


def test_looking_costs_the_same_however_many_are_kept(django_assert_num_queries):
    """A shop's whole past is in the table: only what is due may be read."""
    product = make_product()
    for number in range(30):
        order = order_row(f"young-{number}", days=5)
        VoucherOrderItem.objects.create(
            order=order, position=0, product=product, price=10
        )
        session_row(f"young-{number}", days=5)

    with django_assert_num_queries(4):
        assert forgetting.overdue() == 0


@pytest.mark.django_db(transaction=True)
def test_two_at_once_forget_each_once_beside_a_shop_that_works():
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no in-memory database; needs a file or a server")
    for number in range(40):
        order_row(f"old-{number}")
        session_row(f"old-{number}", status=SessionStatus.OPEN)
    barrier = threading.Barrier(4)
    reports, errors = [], []

    def together(work):
        try:
            barrier.wait(10)
            work()
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            errors.append(error)
        finally:
            connection.close()

    def forget():
        reports.append(forgetting.prune(batch=7))

    def open_again():
        for number in range(0, 40, 5):
            payments.open_session(
                reference=f"old-{number}",
                amount_due="80.00",
                metadata={"email": "new@example.org"},
            )

    threads = [
        threading.Thread(target=together, args=[work])
        for work in (forget, forget, forget, open_again)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    assert sum(report.orders for report in reports) == 40
    assert not VoucherOrder.objects.filter(forgotten_at__isnull=True).exists()
    # Whatever the order of things was: what the shop wrote last is there.
    for session in PaymentSession.objects.all():
        is_new = int(session.reference.partition("-")[2]) % 5 == 0
        assert bool(session.metadata) is is_new
        digests = {row.digest for row in session.emails.all()}
        assert digests == ({email_digest("new@example.org")} if is_new else set())
        assert (session.forgotten_at is None) is is_new

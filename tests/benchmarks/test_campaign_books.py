"""The campaign's books find what is wrong, and believe no proof that is none."""

from collections import deque
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tests.benchmarks import campaign_books as books
from tests.benchmarks.campaign_shop import Plan
from wagtail_smartgift import payments
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import OutboxEvent, PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import gateway


VOUCHER = "GOOD-0100-0001"


@pytest.fixture
def paid(db, sandbox):
    """A confirmed payment of 30.00, and all that others saw of it."""
    sandbox._log = deque()
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=VOUCHER)
    assert payments.confirm(reference="order-1").status == "confirmed"


@pytest.fixture
def client(sandbox):
    return gateway.connect(get_conf().account("default"))


def evidence(sandbox, *, diaries=(), killed=()):
    # Signals go out after a commit, which a test's transaction never sees.
    OutboxEvent.objects.update(dispatched_at=timezone.now())
    lines = [
        {
            "id": line.id,
            "operation": line.operation,
            "voucher": line.request.get("voucher_no"),
            "fault": line.fault,
            "status": line.status,
        }
        for line in sandbox.log()
    ]
    return books.Evidence(
        redemptions=sandbox.redemptions(),
        sales=sandbox.sales(),
        entries=sandbox.ledger(),
        testimony=lines,
        diaries=list(diaries),
        killed=set(killed),
    )


def found(sandbox, **values):
    return list(books.discrepancies(evidence(sandbox, **values)))


def test_books_that_agree_differ_in_nothing(paid, sandbox):
    assert found(sandbox) == []


def test_a_debit_that_no_order_knows_is_found(paid, sandbox, client):
    client.redeem(voucher_no=VOUCHER, site_id="1", value=Decimal("1.00"))

    [text] = found(sandbox)
    assert "the ledger has 1 more than orders" in text.replace("1.00", "1")


def test_a_debit_that_is_gone_is_found(paid, sandbox, client):
    ids = Redemption.objects.get().redemption_ids
    client.reverse(voucher_no=VOUCHER, site_id="1", redemptions=ids)

    [text] = found(sandbox)
    assert "says 30.00 was taken" in text


def test_a_row_that_is_not_what_its_journal_says_is_found(paid, sandbox):
    Redemption.objects.update(amount="29.00")

    assert any("the journal took 30.00" in text for text in found(sandbox))


def test_a_shop_that_was_told_an_untruth_is_found(paid, sandbox):
    told = {"pid": 1, "ref": "order-1", "verb": "cancel", "status": "cancelled"}

    [text] = found(sandbox, diaries=[told])
    assert "cancel told cancelled, and it is confirmed" in text


@pytest.fixture
def ids_lost(paid):
    """A case for a person, whatever became of the answer."""
    row = Redemption.objects.get()
    Redemption.objects.update(
        status="needs_attention",
        attention_code="ids_lost",
        redemption_ids=[],
        proof="balance",
    )
    PaymentSession.objects.update(status="needs_attention")
    return row


def proof(sandbox, **values):
    [case] = books.proofs(evidence(sandbox, **values))
    assert case.code == "ids_lost"
    return case.proof


def redeem_id(sandbox):
    return next(line.id for line in sandbox.log() if line.operation == "redeem")


def test_ids_that_somebody_alive_was_told_are_not_lost(ids_lost, sandbox):
    answered = [
        {"pid": 1, "call": "/redeem", "voucher": VOUCHER},
        {"pid": 1, "answered": redeem_id(sandbox)},
    ]

    assert not proof(sandbox, diaries=answered)
    assert not proof(sandbox, diaries=answered, killed={2})
    assert proof(sandbox, diaries=answered, killed={1})
    # It went on after that answer, so it had written it down.
    went_on = [*answered, {"pid": 1, "call": "/redeem/hold", "voucher": "ANOTHER"}]
    assert not proof(sandbox, diaries=went_on, killed={1})
    # Killed while it waited for the answer.
    assert proof(sandbox, diaries=answered[:1], killed={1})


def test_ids_of_an_answer_that_was_spoilt_are_lost(db, sandbox):
    sandbox._log = deque()
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=VOUCHER)
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
    payments.confirm(reference="order-1")
    Redemption.objects.update(status="needs_attention", attention_code="ids_lost")

    assert proof(sandbox)


def test_a_balance_that_moved_under_our_hold_could_have_been_decided(paid, sandbox):
    row = Redemption.objects.get()
    until = timezone.now() + timedelta(minutes=4)
    look = row.events.filter(operation="redeem", outcome="requested").get()
    row.events.create(
        operation="check",
        outcome="succeeded",
        status="redeeming",
        balance=Decimal("70.00"),
        held_until=until,
    )
    Redemption.objects.update(status="needs_attention", attention_code="balance_moved")

    [case] = books.proofs(evidence(sandbox))
    assert (case.code, case.proof) == ("balance_moved", "")
    assert any("redeem requested" in line for line in case.story)
    assert look.held_until > timezone.now()

    # Given back in between, nothing kept others away.
    row.events.create(operation="release", outcome="requested", status="redeeming")
    row.events.create(
        operation="check",
        outcome="succeeded",
        status="redeeming",
        balance=Decimal("70.00"),
    )
    [case] = books.proofs(evidence(sandbox))
    assert case.proof == "it moved round our fence"


def test_what_a_customer_does_follows_from_its_number():
    assert [Plan.of(7, number) for number in range(20)] == [
        Plan.of(7, number) for number in range(20)
    ]
    endings = {Plan.of(7, number).ending for number in range(60)}
    assert endings == {"keep", "cancel", "refund", "part"}

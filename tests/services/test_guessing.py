"""What somebody who guesses numbers sees on the way: nothing, before the refusal."""

import uuid

import pytest

from wagtail_smartgift import ledger, payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import guessing, holding
from wagtail_smartgift.services.payments import turn


REF = "order-1"
#: As it is before the suite's own settings make it none.
REFUSED_AFTER = guessing.REFUSED_AFTER
#: An experience of which nothing can be used here takes a hold, a check and a release;
#: a number that nobody knows takes one call.
UNUSABLE, UNKNOWN = "TEA-0002-0001", "NO-SUCH-NUMBER"


def guess(number):
    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference=REF, voucher_no=number)
    assert refused.value.code == "voucher_not_usable"


def test_a_voucher_is_not_seen_to_be_held_before_it_can_be_used(session, monkeypatch):
    """A second request reads the payment while the first is looking at the voucher."""
    seen = []
    real = holding.holds.look

    def look(worker, row, **more):
        # Held at Smart Gift's by now, and in our books.
        assert Redemption.objects.get().status == "held"
        seen.extend(payments.get_session(reference=REF).redemptions)
        return real(worker, row, **more)

    monkeypatch.setattr(holding.holds, "look", look)
    guess(UNUSABLE)

    [voucher] = seen
    assert (voucher.status, voucher.held_until, voucher.balance) == (
        "holding",
        None,
        None,
    )
    assert payments.get_session(reference=REF).redemptions == ()


@pytest.mark.parametrize("number", [UNUSABLE, UNKNOWN])
def test_a_number_stays_where_it_was_until_its_refusal_is_told(
    session, monkeypatch, number
):
    """A second request reads the payment when Smart Gift has answered the first."""
    seen = []

    def sleep(seconds):
        assert Redemption.objects.get().status == "refused"
        state = payments.get_session(reference=REF)
        seen.extend((one.status, one.amount, one.balance) for one in state.redemptions)

    monkeypatch.setattr(guessing.time, "sleep", sleep)
    guess(number)

    assert seen == [("holding", 0, None)]
    assert payments.get_session(reference=REF).redemptions == ()


def test_no_number_goes_before_its_refusal():
    shown = ledger.BEING_REFUSED.total_seconds()
    assert shown > REFUSED_AFTER


@pytest.mark.parametrize("number", [UNUSABLE, UNKNOWN])
@pytest.mark.parametrize(
    "ask",
    [
        lambda one: payments.remove_voucher(reference=REF, redemption_id=one),
        lambda one: payments.remove_voucher(reference=REF, redemption_id=uuid.uuid4()),
        lambda one: payments.renew_hold(reference=REF, redemption_id=one),
        lambda one: payments.release_holds(reference=REF),
        lambda one: payments.prepare(reference=REF),
        lambda one: payments.confirm(reference=REF),
        lambda one: payments.add_voucher(reference=REF, voucher_no=UNKNOWN),
    ],
    ids=["remove", "remove none", "renew", "release", "prepare", "confirm", "add"],
)
def test_nobody_is_let_in_before_the_refusal_is_told(session, monkeypatch, number, ask):
    """Whoever waits for the claim would learn by its end when Smart Gift answered."""
    told = []

    def sleep(seconds):
        with pytest.raises(PaymentError) as refused:
            ask(Redemption.objects.get().pk)
        told.append(refused.value.code)

    monkeypatch.setattr(turn, "WAIT_FOR_OTHERS", 0.0)
    monkeypatch.setattr(guessing.time, "sleep", sleep)

    guess(number)

    assert told == ["session_busy"]
    # And then they are.
    assert not PaymentSession.objects.get().claimed_by
    assert payments.prepare(reference=REF).status == "open"


def test_a_hold_of_nobody_is_refused_without_waiting(session, monkeypatch):
    """Nor does it tell anything: it needs no claim, whoever has one."""
    told = []

    def sleep(seconds):
        with pytest.raises(PaymentError) as refused:
            payments.renew_hold(reference=REF, redemption_id=uuid.uuid4())
        told.append(refused.value.code)

    monkeypatch.setattr(turn, "WAIT_FOR_OTHERS", 0.0)
    monkeypatch.setattr(guessing.time, "sleep", sleep)

    guess(UNUSABLE)

    assert told == ["not_found"]

"""Faults that an attacker found, each by the test that fails without its mending."""

import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.factories import make_experience, make_product
from wagtail_smartgift import budget, ledger, payments, sales
from wagtail_smartgift.client import (
    CallNotAllowed,
    CircuitOpen,
    OutcomeUnknown,
    RateLimited,
)
from wagtail_smartgift.client.schemas.reading import (
    read_errors,
    read_redeem,
    read_sale,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError, SaleError
from wagtail_smartgift.forms import PurchaseForm
from wagtail_smartgift.listing import voucher_item
from wagtail_smartgift.models import (
    CallBudget,
    PaymentSession,
    Redemption,
    VoucherOrder,
    VoucherOrderItem,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    balance,
    claims,
    holds,
    patience,
    reconciliation,
    vault,
)
from wagtail_smartgift.services.timebox import Postponed


FIFTY, HUNDRED, REF = "GOOD-0050-0001", "GOOD-0100-0001", "order-1"
TEA = "TEA-0002-0001"


def test_a_hostile_number_is_refused_at_once(session, sandbox):
    began = time.monotonic()

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(
            reference=REF, voucher_no="a" + "\u0301" * 100_000 + "\u0316" * 100_000
        )

    assert refused.value.code == "voucher_not_usable"
    assert time.monotonic() - began < 5
    assert sandbox.log() == []


def test_half_a_surrogate_pair_is_just_a_wrong_number(session):
    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference=REF, voucher_no="\ud800abc")
    assert refused.value.code == "voucher_not_usable"


@pytest.mark.django_db
def test_a_party_that_is_too_large_takes_nothing_down():
    product = make_product(1, type="experience", persons_min=600, persons_max=800)

    assert list(product.persons_range) == [600]
    assert not product.has_terms


def test_an_echo_without_a_number_leaves_ours_alone():
    body = {"data": {"order_id": "1", "items": [{"code": "", "voucher_no": "REAL-1"}]}}
    assert read_sale(body).codes == ("REAL-1",)
    body["data"]["items"] = [{"code": True}]
    assert read_sale(body).codes == ()


@pytest.mark.parametrize("odd", ["12\x00", "x" * 65, "\ud800", "a\nb"])
def test_an_id_that_cannot_be_stored_is_not_understood(odd):
    with pytest.raises(ValueError, match="redemption"):
        read_redeem({"data": {"redemptions": [odd]}})


def test_a_refusal_can_always_be_stored():
    message, fields = read_errors(
        {"message": "bad\x00\ud800", "errors": {"a\x00": ["\x00b"]}}
    )
    assert (message, fields) == ("bad?", {"a": ("b",)})


@pytest.mark.parametrize(
    "far",
    [datetime.max.replace(tzinfo=timezone.utc), datetime(1, 1, 1, tzinfo=timezone.utc)],
)
def test_the_end_of_time_is_no_end_of_a_hold(session, sandbox, far):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sent_at = datetime.now(tz=timezone.utc)

    class State:
        held_until = far
        answered_at = None

    assert holds.deadline(sent_at, State()) == sent_at + timedelta(seconds=295)
    assert 1 <= holds.VoucherHeld(far).retry_after <= 305


def test_a_hold_of_another_account_is_left_alone(session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY, amount="10.00")
    payments.confirm(reference=REF)
    PaymentSession.objects.update(account_key_hash="of production")
    payments.open_session(reference="order-2", amount_due="10.00")

    payments.add_voucher(reference="order-2", voucher_no=FIFTY)

    assert "release" not in [line.operation for line in sandbox.log()]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "metadata", [{"a": float("nan")}, {"a": "\x00"}, {"a": "\ud800"}, {"\x00": 1}]
)
def test_metadata_that_no_database_stores_is_refused(metadata):
    with pytest.raises(PaymentError) as refused:
        payments.open_session(reference="m", amount_due="1.00", metadata=metadata)
    assert list(refused.value.fields) == ["metadata"]
    assert not PaymentSession.objects.exists()


def test_many_experiences_fit_the_columns(session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    Redemption.objects.update(baseline=Decimal(2**45))
    assert Redemption.objects.get().baseline == 2**45


def test_normalising_keeps_what_people_type():
    assert vault.normalise(" GOOD-0050\u00a0-0001 ") == FIFTY


# -- one customer and the quota of all ------------------------------------------------


def worth(session, voucher, bit_values):
    return Decimal(20 * len(bit_values))


def add_and_remove(number=FIFTY):
    [voucher] = payments.add_voucher(reference=REF, voucher_no=number).redemptions
    payments.remove_voucher(reference=REF, redemption_id=voucher.id)


def test_adding_and_removing_over_and_over_comes_to_an_end(
    session, sandbox, time_machine_now
):
    for _allowed in range(get_conf().throttles.session_holds):
        add_and_remove()
    calls, rows = len(sandbox.log()), Redemption.objects.count()

    with pytest.raises(PaymentError) as refused:
        add_and_remove()

    assert refused.value.code == "throttled"
    assert 500 < refused.value.retry_after <= 600
    assert (len(sandbox.log()), Redemption.objects.count()) == (calls, rows)
    # It is this payment's limit, and ends by itself.
    payments.open_session(reference="order-2", amount_due="10.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)
    time_machine_now.shift(601)
    sandbox.clock.advance(601)
    add_and_remove()


def test_choosing_experiences_over_and_over_comes_to_an_end(
    session, sandbox, configure
):
    configure(
        EXPERIENCE_VALUE="tests.services.test_found_by_attack.worth",
        THROTTLES={"SESSION_HOLDS": 4},
    )
    [voucher] = payments.add_voucher(reference=REF, voucher_no=TEA).redemptions
    choices = [[bit] for bit, _name in voucher.experiences_available]

    def choose(number):
        payments.change_voucher(
            reference=REF, redemption_id=voucher.id, experiences=choices[number % 2]
        )

    for number in range(3):
        choose(number)
    before, calls = Redemption.objects.values().get(), len(sandbox.log())

    with pytest.raises(PaymentError) as refused:
        choose(3)

    assert refused.value.code == "throttled"
    assert Redemption.objects.values().get() == before
    assert len(sandbox.log()) == calls
    # What asks Smart Gift nothing is free, and so is the shop's own wish.
    payments.change_voucher(reference=REF, redemption_id=voucher.id, amount="5.00")
    for _pressed in range(6):
        assert payments.prepare(reference=REF).amount_covered == 5


def test_a_quota_that_is_full_uses_nothing_up(session, sandbox, configure):
    configure(RATE_LIMIT=60, THROTTLES={"SESSION_HOLDS": 2})
    add_and_remove()
    CallBudget.objects.update(blocked_until=time.time() + 100)
    for _attempt in range(5):
        with pytest.raises(PaymentError) as refused:
            add_and_remove()
        assert refused.value.code == "busy"

    CallBudget.objects.update(blocked_until=0)
    add_and_remove()


# -- one number and the breaker of all --------------------------------------------------


def state_of_breaker():
    return budget.status(get_conf().account("default")).breaker


def look_up(number, client):
    return balance.look_up(voucher_no=number, site=None, client=client)


@pytest.fixture
def counted(sandbox, configure):
    """With a quota, and so with a breaker."""
    configure(RATE_LIMIT=60)
    sandbox.behaviour.rate_limit = 60
    return sandbox


def test_a_number_that_smart_gift_stumbles_over_closes_nothing(session, counted):
    counted.faults.add(Fault("*", "status", voucher_no=FIFTY, times=None))
    for _attempt in range(6):
        with suppress(PaymentError):
            look_up(FIFTY, "192.0.2.1")
    with suppress(PaymentError):
        payments.add_voucher(reference=REF, voucher_no=FIFTY)

    assert state_of_breaker() is budget.BreakerState.CLOSED
    assert look_up(HUNDRED, "192.0.2.2").amount == 100


def test_an_outage_that_several_see_opens_the_breaker(session, counted):
    counted.faults.add(Fault("*", "status", status=503, times=None))
    for number in range(5):
        reference = f"order-of-{number}"
        payments.open_session(reference=reference, amount_due="80.00")
        with suppress(PaymentError):
            payments.add_voucher(reference=reference, voucher_no=f"GOOD-{number}")

    assert state_of_breaker() is budget.BreakerState.OPEN
    calls = len(counted.log())
    with pytest.raises(PaymentError) as refused:
        look_up(HUNDRED, "192.0.2.9")
    # The quota is not why, and whoever asks is told so.
    assert refused.value.code == "smartgift_unavailable"
    payments.open_session(reference="order-late", amount_due="80.00")
    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-late", voucher_no=HUNDRED)
    assert refused.value.code == "smartgift_unavailable"
    assert 1 <= refused.value.retry_after <= 15
    assert len(counted.log()) == calls


@pytest.mark.parametrize(
    ("error", "code", "looks"),
    [
        (CallNotAllowed(retry_after=3), "busy", 0),
        (RateLimited(retry_after=3), "busy", 0),
        (CircuitOpen(retry_after=3), "smartgift_unavailable", 0),
        (OutcomeUnknown(), "smartgift_unavailable", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_was_never_asked_is_no_look_at_what_is_in_doubt(
    session, counted, error, code, looks
):
    """However long an outage lasts, nothing goes to a person for it."""
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    row = Redemption.objects.get()
    postponed = Postponed.by(error)

    assert patience.back_off(row, postponed)

    row.refresh_from_db()
    assert (postponed.code, row.looks) == (code, looks)
    assert row.next_look_at is not None


def test_silence_opens_it_whoever_asked(session, counted):
    counted.faults.add(Fault("*", "lost_before", times=None))
    for _attempt in range(5):
        with suppress(PaymentError):
            look_up(FIFTY, "192.0.2.1")

    assert state_of_breaker() is budget.BreakerState.OPEN


# -- more than any column holds ----------------------------------------------------------

ORDER = {
    "customer": {
        "first_name": "John",
        "last_name": "Smith",
        "email": "john@example.org",
        "address1": "1 Mill Lane",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": "1", "price": "0.00"},
}


@pytest.mark.parametrize(
    ("price", "persons", "refused"),
    [
        ("99999999.99", 1, False),
        ("99999999.99", 2, True),
        ("199999.99", 500, False),
        ("200000.00", 500, True),
    ],
)
def test_a_party_that_costs_more_than_an_amount_can_be_is_not_sold(
    sandbox, db, price, persons, refused
):
    product = make_experience(
        price=Decimal(price), persons_min=1, persons_max=1000, remote_id=1039
    )

    # The sandbox does not know it: what is well-formed is stored, and refused there.
    with pytest.raises(SaleError) as error:
        sales.place_order(
            reference=REF, items=[{"product": 1039, "persons": persons}], **ORDER
        )

    assert (error.value.code == "invalid") is refused
    assert list(error.value.fields) == ["items.0.persons"] * refused
    assert VoucherOrder.objects.exists() is not refused
    for item in VoucherOrderItem.objects.all():
        assert item.price <= Decimal("99999999.99")
    # Nor does the page offer it.
    form = PurchaseForm(product=product)
    offered = form.fields["persons"].choices if "persons" in form.fields else [(1, "")]
    assert (persons in dict(offered)) is not refused


@pytest.mark.django_db
def test_the_smallest_party_that_is_too_dear_is_off_sale():
    product = make_experience(price=Decimal("99999999.99"), persons_min=2)

    assert not product.has_terms
    assert product.availability == "off_sale"
    item = voucher_item(site=None, remote_id=product.remote_id)
    assert item.available is False


def dear(session, voucher, bit_values):
    return Decimal("1e30")


def test_an_experience_worth_more_than_an_amount_can_be_pays_nothing(
    session, sandbox, configure
):
    configure(EXPERIENCE_VALUE="tests.services.test_found_by_attack.dear")

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference=REF, voucher_no=TEA)

    assert refused.value.code == "voucher_not_usable"
    assert sandbox.voucher(TEA).hold is None
    assert [row.balance for row in Redemption.objects.all()] == [None]


# -- rows of another key -------------------------------------------------------------------


@pytest.fixture
def foreign(session, sandbox, time_machine_now):
    """A payment of production on a copy of its database, its hold long over."""
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    PaymentSession.objects.update(account_key_hash="of production")
    time_machine_now.shift(400)
    sandbox.clock.advance(400)


def rows():
    return [
        list(model.objects.order_by("pk").values())
        for model in (PaymentSession, Redemption)
    ]


def test_nobody_lapses_a_row_of_another_key(foreign, sandbox):
    row = Redemption.objects.get()
    before = rows()

    assert holds.lapse(row) is False
    reconciliation.reconcile()

    assert rows() == before


def test_a_rival_of_another_key_is_left_as_it_is(foreign, sandbox):
    payments.open_session(reference="order-2", amount_due="10.00")
    before = Redemption.objects.values().get()
    calls = len(sandbox.log())

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-2", voucher_no=FIFTY)

    # Nobody here knows when it ends.
    assert (refused.value.code, refused.value.retry_after) == ("voucher_held", 300)
    assert Redemption.objects.values().get() == before
    assert len(sandbox.log()) == calls


def test_no_verb_writes_into_a_payment_of_another_key(foreign, sandbox):
    PaymentSession.objects.update(status="confirming")
    before = rows()
    with pytest.raises(PaymentError) as refused:
        payments.cancel(reference=REF)
    assert refused.value.code == "smartgift_unavailable"
    assert rows() == before

    PaymentSession.objects.update(status="open")
    before = rows()
    with pytest.raises(PaymentError) as refused:
        payments.open_session(reference=REF, amount_due="10.00")
    assert refused.value.code == "smartgift_unavailable"
    # To look at what is there changes nothing, and is no harm.
    assert payments.open_session(reference=REF, amount_due="80.00").amount_covered == 50
    assert rows() == before


# -- a cancel that meets the end of a confirmation ---------------------------------------


@pytest.mark.parametrize("ending", ["confirmed", "open"])
def test_a_cancel_is_never_answered_and_forgotten(
    session, sandbox, books, monkeypatch, time_machine_now, ending
):
    """Open when it is asked for, confirming under the claim, at rest right after it.

    A confirmation is interrupted between the cancel's first look and its claim; and
    between its claim and its answer the sweep brings the confirmation to its end.
    """
    payments.add_voucher(reference=REF, voucher_no=FIFTY, amount="20.00")
    take, give_back = claims._take, claims.Claim.give_back
    done = []

    def confirm_first(claim):
        if not done:
            done.append("confirming")
            sandbox.faults.add(Fault("redeem", "lost_before", times=None))
            assert payments.confirm(reference=REF).status == "confirming"
        return take(claim)

    def sweep_first(claim):
        give_back(claim)
        if done == ["confirming"] and ledger_status() == "confirming":
            done.append("swept")
            if ending == "confirmed":
                sandbox.faults.clear()
            for _pass in range(40):
                time_machine_now.shift(60)
                sandbox.clock.advance(60)
                reconciliation.reconcile()
                if ledger_status() != "confirming":
                    break
            sandbox.faults.clear()

    def ledger_status():
        return ledger.describe(PaymentSession.objects.get()).status

    calls_of_cancel = []

    def only_for_cancel(claim):
        # The confirmation that is interrupted gives its own claim back as ever.
        if len(calls_of_cancel) == 0 and done == ["confirming"]:
            calls_of_cancel.append(claim)
            give_back(claim)
            return
        sweep_first(claim)

    monkeypatch.setattr(claims, "_take", confirm_first)
    monkeypatch.setattr(claims.Claim, "give_back", only_for_cancel)
    try:
        answered = payments.cancel(reference=REF).status
    except PaymentError as error:
        answered = error.code
    monkeypatch.undo()

    assert done == ["confirming", "swept"]
    if answered == "session_busy":
        # Told that nothing was noted, the shop asks again.
        assert payments.cancel(reference=REF).status in {"cancelled", "cancelling"}
    for _pass in range(10):
        time_machine_now.shift(120)
        sandbox.clock.advance(120)
        reconciliation.reconcile()
    assert ledger_status() == "cancelled", answered
    assert books(FIFTY) == 0

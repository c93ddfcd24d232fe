"""What becomes of each kind of answer that did not come, and who decides in the end."""

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.client._transport import Answer
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import reconciliation

from .world import compare_books, compare_rest, experiences


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
REF = "order-1"


def state():
    return payments.get_session(reference=REF)


def row():
    return Redemption.objects.order_by("created_at").last()


@pytest.fixture
def confirm(session, sandbox):
    """Return a function that redeems part of a voucher, or all, with faults on it."""

    def begin(*faults, amount="30.00"):
        number = HUNDRED if amount else FIFTY
        payments.add_voucher(reference=REF, voucher_no=number, amount=amount)
        for fault in faults:
            sandbox.faults.add(Fault(**{"operation": "redeem", **fault}))
        return payments.confirm(reference=REF)

    return begin


@pytest.fixture
def finish(world, sandbox):
    """Return a function that comes to rest, compares the books and looks back."""

    def come_to_rest():
        world.until_quiet()
        world.pass_time(4000)
        compare_books(sandbox)
        compare_rest()
        return state()

    return come_to_rest


def redeems(sandbox):
    return sum(line.operation == "redeem" for line in sandbox.log())


@pytest.mark.parametrize("amount", ["30.00", None])
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize(
    "mode", ["status", "html", "garbage", "half_body", "empty_success"]
)
def test_an_answer_that_cannot_be_read_is_neither_yes_nor_no(
    confirm, finish, sandbox, books, mode, applied, amount
):
    confirm({"mode": mode, "applied": applied, "status": 502}, amount=amount)

    assert finish().status == "confirmed"
    assert books(HUNDRED if amount else FIFTY) == (30 if amount else 50)


def test_a_replay_that_brings_the_ids(confirm, sandbox, books):
    assert confirm({"mode": "lost_before"}, amount=None).status == "confirmed"

    assert (row().proof, books(FIFTY)) == ("response", 50)


def test_a_replay_that_is_refused_as_spent(confirm, sandbox, books):
    sandbox.behaviour.redeem_ends_hold = False

    assert confirm({"mode": "lost_after"}, amount=None).status == "confirmed"

    assert (row().proof, row().redemption_ids) == ("replay", [])
    assert books(FIFTY) == 50


@pytest.mark.parametrize("first", ["lost_before", "lost_after", "apply_late"])
@pytest.mark.parametrize("second", ["lost_before", "lost_after", "apply_late"])
def test_a_replay_without_an_answer_is_not_made_again(
    confirm, finish, sandbox, books, first, second
):
    confirm({"mode": first}, {"mode": second}, amount=None)
    assert redeems(sandbox) == 2

    assert finish().status == "confirmed"
    assert books(FIFTY) == 50


def test_after_two_hours_without_an_answer_a_person_looks(
    confirm, finish, sandbox, books
):
    confirm({"mode": "lost_after"}, {"operation": "*", "mode": "status", "times": None})

    assert finish().status == "needs_attention"
    assert row().attention_code == "unreachable"
    assert books(HUNDRED) == 30


def test_a_voucher_that_expired_meanwhile_is_for_a_person(
    confirm, finish, sandbox, books
):
    confirm({"mode": "lost_after"})
    sandbox.expire_voucher(HUNDRED)

    assert finish().status == "needs_attention"
    assert row().attention_code == "unreadable"


@pytest.mark.parametrize("status", [400, 413])
def test_a_look_that_something_in_between_refuses_is_tried_again(
    confirm, finish, world, sandbox, books, status
):
    confirm({"mode": "lost_after"})
    world.on_the_wire("/redeem/check", lambda _call: Answer(status, {}, b"<html>"))
    world.pass_time(36)

    assert reconciliation.reconcile().attention == 0
    assert row().status == "redeeming"

    assert finish().status == "confirmed"
    assert books(HUNDRED) == 30


def test_a_till_after_a_redeem_that_used_our_hold_up_hides_nothing(
    confirm, finish, sandbox, books
):
    confirm({"mode": "lost_after"})
    sandbox.spend_by_till(HUNDRED, "10.00")

    assert finish().status == "confirmed"
    assert (row().proof, row().redemption_ids) == ("hold", [])
    assert books(HUNDRED) == 30
    assert redeems(sandbox) == 1


def test_a_till_after_an_experience_that_used_our_hold_up_hides_nothing(
    session, finish, sandbox
):
    sandbox.add_voucher("PARTS", experiences=experiences())
    payments.add_voucher(reference=REF, voucher_no="PARTS", experiences=[1])
    # The replay gets no answer either, so the balance has to tell.
    for _turn in range(2):
        sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
    payments.confirm(reference=REF)
    sandbox.spend_by_till("PARTS", bits=2)

    assert finish().status == "confirmed"
    assert (row().proof, row().redemption_ids) == ("hold", [])
    assert sandbox.voucher("PARTS").remaining_bits == 4


@pytest.mark.parametrize("spent", ["10.00", "40.00"])
def test_a_hold_that_is_not_seen_to_be_over_proves_nothing_of_another_amount(
    confirm, finish, sandbox, books, spent
):
    # The older answers do not tell of holds at all.
    sandbox.behaviour.update({"held_until": "absent", "docs_version": "V1"})
    confirm({"mode": "lost_after"})
    sandbox.spend_by_till(HUNDRED, spent)

    assert finish().status == "needs_attention"
    assert row().attention_code == "balance_moved"


def test_less_than_ours_proves_nothing_even_when_our_hold_is_gone(
    confirm, finish, sandbox, books
):
    confirm({"mode": "lost_before"})
    sandbox.release_by_till(HUNDRED)
    sandbox.spend_by_till(HUNDRED, "10.00")

    assert finish().status == "needs_attention"
    assert (row().attention_code, books(HUNDRED)) == ("balance_moved", 0)


def test_a_balance_that_rose_meanwhile_is_for_a_person(confirm, finish, sandbox):
    confirm({"mode": "lost_before"})
    sandbox.top_up(HUNDRED, "5.00")

    assert finish().status == "needs_attention"
    assert row().attention_code == "balance_moved"
    assert redeems(sandbox) == 1


def test_an_answer_with_ids_of_somebody_else_is_never_reversed_twice(
    confirm, finish, sandbox, books
):
    """Smart Gift said yes and lied about the ids: what it refuses is a person's."""
    confirm()
    Redemption.objects.update(redemption_ids=[999_999])

    with pytest.raises(payments.PaymentError):
        payments.cancel(reference=REF)

    assert finish().status == "needs_attention"
    assert row().attention_code == "reverse_refused_ids"
    assert books(HUNDRED) == 30


def test_a_reversal_that_is_refused_is_for_a_person(confirm, finish, sandbox, books):
    confirm()
    sandbox.faults.add(Fault(operation="reverse", mode="refused", times=None))

    with pytest.raises(payments.PaymentError) as error:
        payments.cancel(reference=REF)

    assert error.value.code == "needs_attention"
    assert finish().status == "needs_attention"
    assert row().attention_code == "reverse_refused"
    assert books(HUNDRED) == 30


def pay_with_the_same(reference, amount):
    payments.open_session(reference=reference, amount_due=amount)
    payments.add_voucher(reference=reference, voucher_no=HUNDRED)
    assert payments.confirm(reference=reference).status == "confirmed"


def test_a_lost_reversal_is_seen_beside_what_another_payment_took(
    confirm, finish, sandbox, books
):
    confirm()
    pay_with_the_same("order-2", "20.00")
    sandbox.faults.add(Fault(operation="reverse", mode="lost_after"))

    payments.cancel(reference=REF)

    assert finish().status == "cancelled"
    assert books(HUNDRED) == 20


def test_what_another_payment_gave_back_is_not_taken_for_a_reversal(
    confirm, finish, world, sandbox, books
):
    pay_with_the_same("order-2", "30.00")
    confirm()
    assert payments.cancel(reference="order-2").status == "cancelled"
    sandbox.faults.add(Fault(operation="reverse", mode="lost_before"))
    payments.cancel(reference=REF)
    sandbox.faults.add(
        Fault(
            operation="reverse",
            mode="refused",
            field="redemptions",
            message="Please provide a valid list of redemptions to reverse",
            times=None,
        )
    )

    # The voucher holds what it held before, and yet nothing was given back of it.
    assert finish().status == "needs_attention"
    first = Redemption.objects.get(session__reference=REF)
    assert (first.status, first.attention_code) == (
        "needs_attention",
        "reverse_refused_ids",
    )
    assert books(HUNDRED) == 30


@pytest.mark.parametrize("mode", ["lost_before", "lost_after", "rate_limited"])
def test_a_lost_release_keeps_nobody_waiting(session, sandbox, mode):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sandbox.faults.add(Fault(operation="release", mode=mode))

    payments.remove_voucher(reference=REF, redemption_id=row().pk)

    assert state().redemptions == ()
    payments.open_session(reference="order-2", amount_due="10.00")
    other = payments.add_voucher(reference="order-2", voucher_no=FIFTY)
    assert other.redemptions[0].status == "held"


def test_a_number_that_cannot_be_read_any_more_is_for_a_person(
    confirm, world, sandbox, books, configure, caplog
):
    confirm({"mode": "lost_after"})
    configure(ENCRYPTION_KEYS=["another one, and long enough to be a key as well"])
    world.pass_time(60)

    assert reconciliation.reconcile().attention == 1

    assert row().attention_code == "undecryptable"
    assert state().status == "needs_attention"
    assert HUNDRED not in caplog.text


def test_a_wrong_site_number_is_ours_to_mend(confirm, finish, world, sandbox, books):
    confirm({"mode": "lost_after"})
    PaymentSession.objects.update(smartgift_site_id="999")
    world.pass_time(36)

    assert reconciliation.reconcile().attention == 0
    assert state().status == "confirming"

    PaymentSession.objects.update(smartgift_site_id="1")
    assert finish().status == "confirmed"
    assert books(HUNDRED) == 30


def test_a_misspelt_choice_of_experiences_keeps_the_voucher(session, sandbox):
    sandbox.add_voucher("EXPERIENCE-0001", experiences=experiences())
    payments.add_voucher(reference=REF, voucher_no="EXPERIENCE-0001", experiences=[1])

    with pytest.raises(payments.PaymentError) as error:
        payments.change_voucher(reference=REF, redemption_id=row().pk, experiences=[64])

    assert error.value.code == "invalid"
    assert (row().status, row().experiences) == ("held", [1])

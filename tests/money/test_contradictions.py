"""A first answer that contradicts what was read under our own hold is not believed.

Something between us and Smart Gift may send a request twice, and answer with what the
second one was told: the refusal is true, and about our own spending.
"""

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.sandbox import Fault

from .world import Killed, attempt, compare_books, compare_rest, probe_once, twice


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
REF = "order-1"


def add(number, **values):
    return payments.add_voucher(reference=REF, voucher_no=number, **values)


def state():
    return payments.get_session(reference=REF)


def row():
    return Redemption.objects.get()


def finish(world, sandbox):
    world.until_quiet()
    world.pass_time(4000)
    compare_books(sandbox)
    compare_rest()
    return state()


def redeems(sandbox):
    return sum(line.operation == "redeem" for line in sandbox.log())


def test_a_redeem_that_a_proxy_sent_twice_is_not_made_a_third_time(
    world, session, sandbox, books
):
    """The first ended our hold, so the second is told that there is none."""
    add(HUNDRED, amount="30.00")
    world.on_the_wire("/redeem", twice)

    assert payments.confirm(reference=REF).status == "confirmed"

    assert finish(world, sandbox).amount_redeemed == 30
    assert (books(HUNDRED), redeems(sandbox)) == (30, 2)
    assert (row().proof, row().redemption_ids) == ("hold", [])


@pytest.mark.parametrize("spent_check", ["answer", "refuse"])
@pytest.mark.parametrize("ends_hold", [True, False])
@pytest.mark.parametrize("probed", [True, False])
def test_a_voucher_that_our_own_redeem_has_spent_is_not_called_short(
    world, session, sandbox, books, ends_hold, spent_check, probed
):
    sandbox.behaviour.update(
        {"redeem_ends_hold": ends_hold, "spent_check": spent_check}
    )
    if probed:
        probe_once(sandbox)
    add(FIFTY)
    before = redeems(sandbox)
    world.on_the_wire("/redeem", twice)

    answered = attempt(payments.confirm, reference=REF)

    # Our hold is gone before its time: or it is known to outlive a redeem. Else, and
    # where Smart Gift tells nothing of a spent voucher, no machine can know.
    if spent_check == "answer" and (ends_hold or probed):
        assert answered.status == "confirmed"
        assert row().proof == ("hold" if ends_hold else "balance")
    else:
        assert answered == "needs_attention"
    finish(world, sandbox)
    assert state().status in {"confirmed", "needs_attention"}
    assert (books(FIFTY), redeems(sandbox) - before) == (50, 2)


@pytest.mark.parametrize("ends_hold", [True, False])
def test_a_death_after_the_contradiction_changes_nothing(
    world, session, sandbox, books, ends_hold
):
    sandbox.behaviour.redeem_ends_hold = ends_hold
    add(FIFTY)
    world.on_the_wire("/redeem", twice)

    def dies(name):
        doubts = row().events.filter(operation="redeem", outcome="unknown")
        if name == "commit" and world._is_mortal and not world.dead and doubts.exists():
            world.dead = True
            raise Killed

    world.step = dies
    with world.mortal():
        payments.confirm(reference=REF)
    assert row().status == "redeeming"

    ended = finish(world, sandbox).status
    assert ended == ("confirmed" if ends_hold else "needs_attention")
    assert (books(FIFTY), redeems(sandbox)) == (50, 2)


def test_a_hold_that_somebody_else_ended_is_taken_anew(world, session, sandbox, books):
    add(HUNDRED, amount="30.00")

    def without_a_hold(call):
        sandbox.release_by_till(HUNDRED)
        return call()

    world.on_the_wire("/redeem", without_a_hold)

    assert payments.confirm(reference=REF).status == "confirmed"
    assert (books(HUNDRED), redeems(sandbox)) == (30, 2)
    assert row().proof == "response"
    looks = row().events.filter(operation="check").values_list("balance", flat=True)
    # Under the first hold; after the refusal; under the new one, before the next attempt.
    assert list(looks) == [100, 100, 100]


@pytest.mark.parametrize(
    ("how", "told"),
    [("a till holds it", "hold_lost"), ("no answer", "smartgift_unavailable")],
)
def test_a_hold_that_went_and_is_not_to_be_had_again_is_no_case(
    world, session, sandbox, books, how, told
):
    """What was given back for a fence that nobody gets is not looked for any more."""
    add(HUNDRED, amount="30.00")
    sandbox.release_by_till(HUNDRED)
    if how == "a till holds it":
        sandbox.hold_by_till(HUNDRED)
    else:
        sandbox.faults.add(Fault(operation="hold", mode="status", status=503, times=9))

    answered = attempt(payments.confirm, reference=REF)

    assert answered == told
    assert (row().hold_token_encrypted, row().attention_code) == ("", "")
    assert (state().status, books(HUNDRED)) == ("open", 0)
    # And once it can be had, it pays.
    if how == "a till holds it":
        sandbox.release_by_till(HUNDRED)
    sandbox.faults.clear()
    world.pass_time(400)
    assert payments.confirm(reference=REF).status == "confirmed"
    assert finish(world, sandbox).amount_redeemed == books(HUNDRED) == 30


@pytest.mark.parametrize("spent", ["30.00", "20.00"])
def test_a_till_in_the_gap_is_not_taken_for_our_own_redeem(
    world, session, sandbox, books, spent
):
    """A redeem leaves its hold standing here, as a probe has found out."""
    sandbox.behaviour.redeem_ends_hold = False
    probe_once(sandbox)
    add(HUNDRED, amount="30.00")

    def without_a_hold(call):
        sandbox.release_by_till(HUNDRED)
        sandbox.spend_by_till(HUNDRED, spent)
        return call()

    world.on_the_wire("/redeem", without_a_hold)

    if spent == "30.00":
        with pytest.raises(PaymentError):
            payments.confirm(reference=REF)
        assert row().attention_code == "balance_moved"
        assert finish(world, sandbox).status == "needs_attention"
        assert books(HUNDRED) == 0
    else:
        # Ours would have left less: so it was not applied, and there is enough for it.
        assert payments.confirm(reference=REF).status == "confirmed"
        assert books(HUNDRED) == 30


def test_a_balance_that_is_too_low_for_it_to_have_been_ours_is_a_shortfall(
    world, session, sandbox, books
):
    add(FIFTY)

    def past_the_hold(call):
        sandbox.behaviour.dead_token_accepted = True
        sandbox.release_by_till(FIFTY)
        sandbox.spend_by_till(FIFTY, "20.00")
        return call()

    world.on_the_wire("/redeem", past_the_hold)

    with pytest.raises(PaymentError) as error:
        payments.confirm(reference=REF)

    assert error.value.code == "shortfall"
    assert finish(world, sandbox).status == "open"
    assert books(FIFTY) == 0


@pytest.mark.parametrize("message", ["Voucher is not held", "No such luck"])
def test_a_refusal_that_the_balance_bears_out_is_believed(
    world, session, sandbox, books, message
):
    add(FIFTY)
    sandbox.faults.add(
        Fault(operation="redeem", mode="refused", message=message, times=None)
    )

    with pytest.raises(PaymentError) as error:
        payments.confirm(reference=REF)

    assert error.value.code == "hold_lost"
    assert finish(world, sandbox).status == "open"
    assert books(FIFTY) == 0
    assert redeems(sandbox) <= 2

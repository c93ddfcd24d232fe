"""The voucher desk's services: each form once, with a reason, through the same protocol."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.factories import make_site
from tests.interleaving import RunAfter, RunBefore
from wagtail_smartgift import ledger, payments
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    DeskAction,
    DeskLookUp,
    GuessCounter,
    PaymentSession,
    Redemption,
    RedemptionEvent,
    SmartGiftSettings,
)
from wagtail_smartgift.references import is_of_desk
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import desk, looking_up, staff_words, vault


pytestmark = pytest.mark.django_db

HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
#: Experiences 2 (tea) and 8 (a walk).
TEA = "TEA-0002-0001"


def ten_each(session, voucher, bit_values):
    return Decimal(10) * len(bit_values)


@pytest.fixture
def clerk(db):
    return User.objects.create_user("miller")


@pytest.fixture
def find(sandbox, clerk):
    def look_up(number=HUNDRED, *, user=clerk):
        return looking_up.look_up(voucher_no=number, site=None, user=user)

    return look_up


@pytest.fixture
def carry(find, clerk):
    def look_up(number=HUNDRED):
        return looking_up.open_carried(find(number).carried, user=clerk)

    return look_up


@pytest.fixture
def instruct(clerk):
    def make(
        amount=None,
        *,
        form_id=None,
        user=clerk,
        reason="On the telephone.",
        experiences=(),
    ):
        return desk.Instruction(
            form_id=form_id or uuid.uuid4(),
            user=user,
            reason=reason,
            amount=None if amount is None else Decimal(amount),
            experiences=experiences,
        )

    return make


@pytest.fixture
def held(carry, instruct):
    """A payment of the desk's own, with thirty pounds of a voucher held."""
    state = desk.hold(instruct("30.00"), carry())
    return PaymentSession.objects.get(pk=state.id)


@pytest.fixture
def redeemed(held, instruct):
    desk.redeem(instruct(), held, plan=plan_of(held))
    held.refresh_from_db()
    assert held.status == "confirmed"
    return held


class Killed(BaseException):
    """What happens to a process; no code of ours catches it."""


def killed(do):
    """Be killed once the form's work is done, before its outcome is written."""

    def die(execute, sql, *rest):
        if sql.startswith(f'UPDATE "{DeskAction._meta.db_table}" SET "outcome"'):
            raise Killed
        return execute(sql, *rest)

    with connection.execute_wrapper(die), pytest.raises(Killed):
        do()


def refused(code, do, *args, **values):
    with pytest.raises(PaymentError) as error:
        do(*args, **values)
    assert error.value.code == code
    return error.value


def plan_of(session):
    """Return what a page that shows the payment now takes along to redeem it."""
    return ledger.plan(payments.get_session(reference=session.reference))


# -- looking up ----------------------------------------------------------------------


def test_a_number_is_looked_up_on_both_sides(find, session, sandbox):
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")

    found = find(" good - 0100 - 0001 ".upper())

    assert found.answer.state.remaining_value == 100
    assert [row.session.reference for row in found.answer.uses] == ["order-1"]
    entry = ModelLogEntry.objects.get(action=looking_up.LOOK_UP_ACTION)
    assert entry.data == {"voucher": "…0001"}
    assert [line.operation for line in sandbox.log()][-1] == "check"


def test_what_is_carried_hides_the_number_and_is_one_persons(find, clerk):
    token = find().carried

    assert HUNDRED not in token
    assert looking_up.open_carried(token, user=clerk).number == HUNDRED
    assert HUNDRED not in repr(looking_up.open_carried(token, user=clerk))
    with pytest.raises(looking_up.CarryLost):
        looking_up.open_carried(token, user=User.objects.create_user("baker"))
    for wrong in ("", "gAAAA", token[:-2]):
        with pytest.raises(looking_up.CarryLost):
            looking_up.open_carried(wrong, user=clerk)
    later = timezone.now() + timedelta(seconds=looking_up.CARRY_SECONDS + 1)
    with time_machine.travel(later), pytest.raises(looking_up.CarryLost):
        looking_up.open_carried(token, user=clerk)


def test_what_is_stored_of_a_voucher_cannot_be_carried(held, clerk):
    """Both are sealed with the same key; one is not taken for the other."""
    with pytest.raises(looking_up.CarryLost):
        looking_up.open_carried(Redemption.objects.get().number_encrypted, user=clerk)


def test_wrong_numbers_are_bounded_for_each_person(find, configure, sandbox):
    configure(THROTTLES={"SESSION_FAILURES": 3})
    for turn in range(3):
        assert find(f"WRONG-{turn}").answer.refused
    asked = len(sandbox.log())

    refused("throttled", find, "WRONG-4")
    refused("throttled", find, HUNDRED)

    assert len(sandbox.log()) == asked
    assert find(HUNDRED, user=User.objects.create_user("baker")).answer.state


def test_customers_who_guess_keep_no_clerk_waiting(
    find, session, configure, carry, instruct
):
    configure(THROTTLES={"GLOBAL_FAILURES_PER_MINUTE": 2, "SESSION_FAILURES": 2})
    for turn in range(2):
        refused(
            "voucher_not_usable",
            payments.add_voucher,
            reference="order-1",
            voucher_no=f"WRONG-{turn}",
        )
    refused("throttled", payments.add_voucher, reference="order-1", voucher_no=HUNDRED)

    state = desk.apply(instruct(), carry(), reference="order-1")

    assert state.redemptions[-1].status == "held"


def test_a_clerk_who_mistypes_keeps_no_customer_waiting(find, configure):
    configure(THROTTLES={"GLOBAL_FAILURES_PER_MINUTE": 1})
    for turn in range(4):
        find(f"WRONG-{turn}")

    assert not GuessCounter.objects.filter(key="failures").exists()


def test_smart_gift_away_is_said_and_no_failure(find, sandbox, configure):
    configure(THROTTLES={"SESSION_FAILURES": 1})
    sandbox.faults.add(Fault(operation="check", mode="status", status=503))

    assert find().answer.reason == "smartgift_unavailable"
    assert find().answer.state is not None


def test_a_site_number_that_smart_gift_does_not_know_keeps_no_clerk_waiting(
    clerk, sandbox, configure
):
    """It is the shop's setting that is wrong, whatever number is asked about."""
    configure(THROTTLES={"SESSION_FAILURES": 1})
    site = make_site()
    SmartGiftSettings.objects.create(site=site, smartgift_site_id="99")

    for _turn in range(3):
        found = looking_up.look_up(voucher_no=HUNDRED, site=site, user=clerk)
        assert found.answer.reason == "invalid_site"


def test_nothing_is_no_number(find):
    for typed in ("", "   ", "X" * 100):
        refused("invalid", find, typed)
    assert not DeskLookUp.objects.exists()


@pytest.mark.parametrize(
    ("number", "outcome"), [(HUNDRED, "told"), ("WRONG-4711", "invalid_voucher")]
)
def test_who_looks_up_what_this_shop_never_dealt_with_is_known(
    find, clerk, caplog, number, outcome
):
    caplog.set_level("INFO")

    found = find(number)

    row = DeskLookUp.objects.get()
    assert (row.actor, row.display_code, row.outcome) == (
        "miller",
        f"…{number[-4:]}",
        outcome,
    )
    account = get_conf().account("default")
    assert row.fingerprint == vault.fingerprint(number, account=account)
    assert number not in str(vars(row))
    assert list(found.look_ups) == [row]
    assert f"by user {clerk.pk} (look-up {row.pk})" in caplog.text
    assert number not in caplog.text


def test_the_others_who_looked_a_number_up_are_told(find):
    find(HUNDRED, user=User.objects.create_user("baker"))
    find(FIFTY)

    assert [one.actor for one in find(HUNDRED).look_ups] == ["miller", "baker"]


def test_a_look_up_is_stored_before_smart_gift_is_asked(find, sandbox):
    asked = len(sandbox.log())
    seen = []
    insert = f'INSERT INTO "{DeskLookUp._meta.db_table}"'
    stored = RunBefore(insert, lambda: seen.append(len(sandbox.log())))

    with connection.execute_wrapper(stored):
        find()

    assert seen == [asked]
    assert len(sandbox.log()) == asked + 1


def test_a_look_up_without_an_answer_is_stored(find, sandbox):
    sandbox.faults.add(Fault(operation="check", mode="status", status=503))

    find()

    assert DeskLookUp.objects.get().outcome == "smartgift_unavailable"


def test_who_was_turned_away_has_looked_nothing_up(find, configure):
    configure(THROTTLES={"SESSION_FAILURES": 1})
    find("WRONG-1")

    refused("throttled", find, HUNDRED)

    assert DeskLookUp.objects.count() == 1


def test_under_a_wrong_key_it_is_known_who_looked(find, configure):
    find(FIFTY)
    configure(FINGERPRINT_KEY="quite another key, and as long as it has to be")

    found = find(HUNDRED)

    row = DeskLookUp.objects.order_by("pk").last()
    assert (row.fingerprint, row.actor, row.outcome) == ("", "miller", "told")
    assert list(found.look_ups) == [row]


# -- experiences -------------------------------------------------------------------------


@pytest.fixture
def worth(configure):
    configure(EXPERIENCE_VALUE="tests.services.test_desk.ten_each")


def used(sandbox, number=TEA):
    """Return what is used up of an experience voucher, by the sandbox's books."""
    experiences = sandbox.voucher(number).experiences
    return [one.bit_value for one in experiences if one.used_by is not None]


@pytest.mark.parametrize("verb", ["hold", "apply"])
def test_nothing_of_an_experience_voucher_is_used_unasked(
    worth, carry, instruct, sandbox, verb
):
    carried = carry(TEA)
    asked = len(sandbox.log())

    for chosen in ((), (4,)):
        if verb == "hold":
            error = refused(
                "invalid", desk.hold, instruct("1.00", experiences=chosen), carried
            )
        else:
            error = refused(
                "invalid",
                desk.apply,
                instruct(experiences=chosen),
                carried,
                reference="order-1",
                amount_due=Decimal(1),
            )
        assert set(error.fields) == {"experiences"}
        if not chosen:
            assert len(sandbox.log()) == asked
            assert not PaymentSession.objects.exists()

    assert sandbox.voucher(TEA).hold is None
    assert used(sandbox) == []


def test_what_was_chosen_of_an_experience_voucher_is_used_and_no_more(
    worth, carry, instruct, sandbox
):
    carried = carry(TEA)
    assert [one.bit_value for one in carried.experiences] == [2, 8]
    assert carried.experiences[0].name == "Afternoon tea for two"

    state = desk.hold(instruct("10.00", experiences=(8,)), carried)
    session = PaymentSession.objects.get(pk=state.id)
    desk.redeem(instruct(), session, plan=plan_of(session))

    assert used(sandbox) == [8]
    kept = DeskAction.objects.get(verb="hold").experiences
    assert kept == [{"bit_value": 8, "name": "A walk to the weir with our gardener"}]


def test_an_experience_voucher_that_nobody_has_looked_at_is_not_used_whole(
    worth, carry, instruct, sandbox
):
    """What was carried says nothing of experiences: Smart Gift did not answer then."""
    sandbox.faults.add(Fault(operation="check", mode="status", status=503))
    carried = carry(TEA)
    assert carried.experiences == ()

    error = refused("invalid", desk.hold, instruct("10.00"), carried)

    assert set(error.fields) == {"experiences"}
    assert sandbox.voucher(TEA).hold is None
    assert Redemption.objects.get().status == "refused"


def test_without_their_value_experiences_cannot_be_tried(find, worth, configure):
    assert find(TEA).can_be_tried
    configure(EXPERIENCE_VALUE=None)

    found = find(TEA)

    assert found.lacks_value
    assert not found.can_be_tried
    assert not find(HUNDRED).lacks_value


def test_only_experiences_of_the_sites_classifications_are_offered(clerk, sandbox):
    site = make_site()
    SmartGiftSettings.objects.create(site=site, classifications=["food_and_beverage"])

    found = looking_up.look_up(voucher_no=TEA, site=site, user=clerk)

    assert [one.bit_value for one in found.experiences] == [2]


# -- a voucher without an order ---------------------------------------------------------


def test_held_redeemed_refunded_and_reversed(held, instruct, books, sandbox):
    assert is_of_desk(held.reference)
    assert (held.status, books(HUNDRED)) == ("open", 0)

    assert desk.redeem(instruct(), held, plan=plan_of(held)).status == "confirmed"
    assert books(HUNDRED) == 30

    desk.refund(instruct("10.00"), held, refunded_before=Decimal(0))
    assert books(HUNDRED) == 20

    held.refresh_from_db()
    desk.reverse(instruct(), held, seen_status="confirmed")
    held.refresh_from_db()
    assert (held.status, books(HUNDRED)) == ("cancelled", 0)
    assert sandbox.voucher(HUNDRED).balance == 100


def test_everything_is_logged_with_who_and_why(redeemed, clerk):
    verbs = DeskAction.objects.values_list("verb", "actor", "reason", "outcome")
    assert list(verbs) == [
        ("hold", "miller", "On the telephone.", "done"),
        ("redeem", "miller", "On the telephone.", "done"),
    ]
    assert set(RedemptionEvent.objects.values_list("actor", flat=True)) == {"miller"}
    entries = ModelLogEntry.objects.filter(action=desk.MOVE_ACTION).order_by("pk")
    assert [entry.data["verb"] for entry in entries] == ["hold", "redeem"]
    assert {entry.user for entry in entries} == {clerk}


def test_what_the_shop_does_later_is_not_the_clerks(held):
    payments.confirm(reference=held.reference)

    last = RedemptionEvent.objects.order_by("id").last()
    assert (last.operation, last.actor) == ("redeem", "")


def test_released_it_is_free_again(held, instruct, sandbox):
    row = Redemption.objects.get()

    desk.release(instruct(), held, row.pk)
    desk.release(instruct(), held, row.pk)

    assert sandbox.voucher(HUNDRED).hold is None
    row.refresh_from_db()
    assert row.status == "released"


def test_a_lapsed_hold_is_taken_again(held, instruct, sandbox):
    sandbox.clock.advance(301)
    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert desk.prepare(instruct(), held).redemptions[0].status == "held"


# -- once -----------------------------------------------------------------------------


def test_the_same_form_twice_is_one_hold(carry, instruct):
    carried, made = carry(), instruct("30.00")

    first, second = desk.hold(made, carried), desk.hold(made, carried)

    assert first.id == second.id
    assert DeskAction.objects.count() == 1
    assert Redemption.objects.count() == 1


def test_the_same_refund_twice_is_one(redeemed, instruct, books):
    made = instruct("10.00")

    desk.refund(made, redeemed, refunded_before=Decimal(0))
    desk.refund(made, redeemed, refunded_before=Decimal(0))

    assert books(HUNDRED) == 20
    assert DeskAction.objects.filter(verb="refund").count() == 1


def test_a_refund_that_began_before_a_crash_is_not_begun_again(
    redeemed, instruct, books, monkeypatch
):
    made = instruct("10.00")
    monkeypatch.setattr(desk, "_note", lambda *args: None)
    desk.refund(made, redeemed, refunded_before=Decimal(0))
    assert DeskAction.objects.get(verb="refund").outcome == ""
    monkeypatch.undo()

    desk.refund(made, redeemed, refunded_before=Decimal(0))

    assert books(HUNDRED) == 20


@pytest.mark.parametrize("amount", ["10.00", "30.00", None])
@pytest.mark.parametrize("statement", ["SELECT", "UPDATE"])
def test_both_clicks_of_a_double_click_on_refund_are_told_that_it_is_done(
    redeemed, instruct, books, amount, statement
):
    """The browser shows what the second is told, whatever the first has changed.

    The first is through before the second has read the payment; or after that, before
    it may work on it.
    """
    made = instruct(amount)

    def refund():
        return desk.refund(made, redeemed, refunded_before=Decimal(0))

    first = RunBefore(f'{statement} "{PaymentSession._meta.db_table}"', refund)
    with connection.execute_wrapper(first):
        told = refund()

    assert first.has_run
    back = Decimal(amount or 30)
    assert (told.status, told.amount_refunded) == ("confirmed", back)
    assert books(HUNDRED) == 30 - back
    assert DeskAction.objects.get(verb="refund").outcome == "done"


def test_a_refused_form_is_over(held, instruct, sandbox, books):
    """Loaded anew in a browser an hour later it redeems nothing: another form does."""
    made, plan = instruct(), plan_of(held)
    sandbox.release_by_till(HUNDRED)
    sandbox.hold_by_till(HUNDRED)
    refused("hold_lost", desk.redeem, made, held, plan=plan)
    sandbox.release_by_till(HUNDRED)
    asked = len(sandbox.log())

    refused("hold_lost", desk.redeem, made, held, plan=plan)

    assert (books(HUNDRED), len(sandbox.log())) == (0, asked)
    desk.redeem(instruct(), held, plan=plan)
    assert books(HUNDRED) == 30


def test_a_form_whose_redemption_was_undone_is_over(held, instruct, sandbox, books):
    """Whoever sent it never learnt that: it was killed before anything was written."""
    made, plan = instruct(), plan_of(held)
    sandbox.release_by_till(HUNDRED)
    sandbox.hold_by_till(HUNDRED)
    killed(lambda: desk.redeem(made, held, plan=plan))
    assert PaymentSession.objects.get().status == "open"
    assert DeskAction.objects.get(verb="redeem").outcome == ""
    sandbox.release_by_till(HUNDRED)

    refused("hold_lost", desk.redeem, made, held, plan=plan)

    assert books(HUNDRED) == 0
    assert DeskAction.objects.get(verb="redeem").outcome == "hold_lost"


def test_a_form_that_was_killed_before_it_began_is_done_when_it_comes_again(
    held, instruct, books
):
    made, plan = instruct(), plan_of(held)
    table = PaymentSession._meta.db_table

    def die(execute, sql, *rest):
        if sql.startswith(f'UPDATE "{table}"'):
            raise Killed
        return execute(sql, *rest)

    with connection.execute_wrapper(die), pytest.raises(Killed):
        desk.redeem(made, held, plan=plan)
    assert books(HUNDRED) == 0

    desk.redeem(made, held, plan=plan)

    assert books(HUNDRED) == 30


def test_a_form_whose_reason_was_forgotten_is_still_known(redeemed, instruct, books):
    """Its customer was erased; the browser sends it once more."""
    made = instruct("10.00")
    desk.refund(made, redeemed, refunded_before=Decimal(0))
    staff_words.forget_payments([redeemed.pk])

    assert desk.refund(made, redeemed, refunded_before=Decimal(0)).amount_refunded == 10

    assert books(HUNDRED) == 20


def test_two_people_who_refund_what_they_both_saw_refund_it_once(
    redeemed, instruct, books
):
    baker = User.objects.create_user("baker")
    desk.refund(instruct("10.00"), redeemed, refunded_before=Decimal(0))

    refused(
        "amount_changed",
        desk.refund,
        instruct("10.00", user=baker),
        redeemed,
        refunded_before=Decimal(0),
    )

    assert books(HUNDRED) == 20
    assert PaymentSession.objects.get().status == "confirmed"
    desk.refund(instruct("10.00", user=baker), redeemed, refunded_before=Decimal(10))
    assert books(HUNDRED) == 10


def test_a_form_with_something_else_in_it_is_refused(redeemed, instruct, books):
    form_id = uuid.uuid4()
    desk.refund(
        instruct("10.00", form_id=form_id), redeemed, refunded_before=Decimal(0)
    )

    with pytest.raises(desk.Conflict):
        desk.refund(
            instruct("20.00", form_id=form_id), redeemed, refunded_before=Decimal(10)
        )

    assert books(HUNDRED) == 20


def test_a_form_with_another_reason_is_another_form(redeemed, instruct, books):
    form_id = uuid.uuid4()
    desk.refund(
        instruct("10.00", form_id=form_id), redeemed, refunded_before=Decimal(0)
    )

    with pytest.raises(desk.Conflict):
        desk.refund(
            instruct("10.00", form_id=form_id, reason="Something else."),
            redeemed,
            refunded_before=Decimal(0),
        )

    assert DeskAction.objects.get(verb="refund").reason == "On the telephone."
    assert books(HUNDRED) == 20


def test_all_that_is_left_is_what_was_shown(redeemed, instruct, books):
    payments.refund(reference=redeemed.reference, amount="5.00")

    refused(
        "amount_changed",
        desk.refund,
        instruct(),
        redeemed,
        refunded_before=Decimal(0),
    )
    assert books(HUNDRED) == 25

    made = instruct()
    for _turn in range(2):
        desk.refund(made, redeemed, refunded_before=Decimal(5))
    assert books(HUNDRED) == 0
    assert DeskAction.objects.get(outcome="done", verb="refund").refund_target == 30

    # Nothing was left, and nothing is done.
    assert desk.refund(instruct(), redeemed, refunded_before=Decimal(30))
    assert PaymentSession.objects.get().status == "confirmed"


def test_redeeming_what_has_changed_since_redeems_nothing(
    session, carry, instruct, books
):
    desk.apply(instruct(), carry(), reference="order-1")
    shown = PaymentSession.objects.get()
    plan = plan_of(shown)
    payments.open_session(reference="order-1", amount_due="120.00")

    refused("amount_changed", desk.redeem, instruct(), shown, plan=plan)

    assert (books(HUNDRED), payments.get_session(reference="order-1").status) == (
        0,
        "open",
    )


def put_more_in_the_basket():
    """Leave as much to be paid another way as before, and take more of the voucher."""
    payments.open_session(reference="order-1", amount_due="120.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="70.00")


def use_another_voucher():
    row = Redemption.objects.get()
    payments.remove_voucher(reference="order-1", redemption_id=row.pk)
    payments.add_voucher(reference="order-1", voucher_no=FIFTY, amount="30.00")


@pytest.mark.parametrize("change", [put_more_in_the_basket, use_another_voucher])
def test_nothing_is_redeemed_but_what_was_shown(
    session, instruct, books, sandbox, change
):
    """What remains to be paid another way is the same; what is taken is not."""
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")
    row = PaymentSession.objects.get()
    shown = payments.get_session(reference="order-1")
    change()
    now = payments.get_session(reference="order-1")
    assert now.amount_remaining == shown.amount_remaining == 50

    refused("amount_changed", desk.redeem, instruct(), row, plan=ledger.plan(shown))

    assert (books(HUNDRED), books(FIFTY)) == (0, 0)
    assert "redeem" not in [line.operation for line in sandbox.log()]
    assert PaymentSession.objects.get().status == "open"
    desk.redeem(instruct(), row, plan=plan_of(row))
    assert books(HUNDRED) + books(FIFTY) == now.amount_covered


def test_other_experiences_are_not_redeemed_than_were_shown(
    worth, carry, instruct, sandbox
):
    """One was shown; the customer has chosen the other one meanwhile."""
    state = desk.hold(instruct("10.00", experiences=(8,)), carry(TEA))
    session = PaymentSession.objects.get(pk=state.id)
    plan = plan_of(session)
    [held] = state.redemptions
    payments.change_voucher(
        reference=session.reference, redemption_id=held.id, experiences=[2]
    )

    refused("amount_changed", desk.redeem, instruct(), session, plan=plan)

    assert used(sandbox) == []


def test_a_hold_that_was_only_renewed_is_redeemed_as_shown(held, instruct, books):
    plan = plan_of(held)
    payments.prepare(reference=held.reference)

    desk.redeem(instruct(), held, plan=plan)

    assert books(HUNDRED) == 30


def test_what_was_confirmed_meanwhile_is_not_given_back_unseen(held, instruct, books):
    payments.confirm(reference=held.reference)

    refused("amount_changed", desk.reverse, instruct(), held, seen_status="open")

    assert books(HUNDRED) == 30


def test_what_the_shop_confirms_at_that_moment_is_not_given_back(held, instruct, books):
    """Between what is read of the payment and the right to work on it."""
    confirm = RunBefore(
        f'UPDATE "{PaymentSession._meta.db_table}"',
        lambda: payments.confirm(reference=held.reference),
    )

    with connection.execute_wrapper(confirm):
        refused("amount_changed", desk.reverse, instruct(), held, seen_status="open")

    assert confirm.has_run
    assert books(HUNDRED) == 30
    assert PaymentSession.objects.get().status == "confirmed"


def test_a_lost_answer_is_said_to_be_pending(held, instruct, sandbox, books):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))

    state = desk.redeem(instruct(), held, plan=plan_of(held))

    assert state.pending
    assert DeskAction.objects.get(verb="redeem").outcome == "pending"
    assert books(HUNDRED) == 30


# -- orders of the shop ------------------------------------------------------------------


def test_a_voucher_pays_for_an_order_of_the_shop(session, carry, instruct, books):
    state = desk.apply(instruct("20.00"), carry(), reference="order-1")
    assert (state.amount_covered, state.amount_remaining) == (20, 60)

    payments.confirm(reference="order-1", amount_remaining="60.00")

    assert books(HUNDRED) == 20


def test_an_order_that_nobody_has_opened_needs_its_amount(sandbox, carry, instruct):
    error = refused("invalid", desk.apply, instruct(), carry(), reference="order-9")
    assert set(error.fields) == {"amount_due"}
    assert not PaymentSession.objects.exists()

    state = desk.apply(instruct(), carry(), reference="order-9", amount_due=Decimal(40))

    assert (state.amount_due, state.amount_remaining) == (40, 0)


def test_the_shop_knows_best_what_its_order_comes_to(session, carry, instruct):
    error = refused(
        "invalid",
        desk.apply,
        instruct(),
        carry(),
        reference="order-1",
        amount_due=Decimal(10),
    )

    assert set(error.fields) == {"amount_due"}
    assert not Redemption.objects.exists()


def test_what_the_desk_said_of_an_order_can_be_corrected(
    sandbox, carry, instruct, books
):
    """The payment is there before anything has worked: a slip must not stay in it."""
    sandbox.faults.add(Fault(operation="hold", mode="status", status=503, times=9))
    slip = instruct()
    refused(
        "smartgift_unavailable",
        desk.apply,
        slip,
        carry(),
        reference="order-9",
        amount_due=Decimal("500.00"),
    )
    sandbox.faults.clear()

    state = desk.apply(instruct(), carry(), reference="order-9", amount_due=Decimal(50))

    assert (state.amount_due, state.amount_eligible, state.amount_covered) == (
        50,
        50,
        50,
    )
    # The form with the slip, loaded anew, does not bring it back.
    refused(
        "smartgift_unavailable",
        desk.apply,
        slip,
        carry(),
        reference="order-9",
        amount_due=Decimal("500.00"),
    )
    assert PaymentSession.objects.get().amount_due == 50


def test_what_a_held_voucher_pays_for_is_not_corrected(sandbox, carry, instruct):
    desk.apply(instruct(), carry(), reference="order-9", amount_due=Decimal(50))

    error = refused(
        "invalid",
        desk.apply,
        instruct(),
        carry(FIFTY),
        reference="order-9",
        amount_due=Decimal(80),
    )

    assert "Release it" in str(error.fields["amount_due"])
    [row] = Redemption.objects.all()
    assert (row.session.amount_due, row.amount) == (50, 50)
    session = PaymentSession.objects.get()
    desk.release(instruct(), session, row.pk)
    state = desk.apply(
        instruct(), carry(FIFTY), reference="order-9", amount_due=Decimal(80)
    )
    assert (state.amount_due, state.amount_covered) == (80, 50)


def test_once_the_shop_has_said_what_an_order_comes_to_nobody_corrects_it(
    sandbox, carry, instruct
):
    state = desk.apply(instruct(), carry(), reference="order-9", amount_due=Decimal(50))
    payments.open_session(reference="order-9", amount_due="60.00")
    [row] = state.redemptions
    payments.remove_voucher(reference="order-9", redemption_id=row.id)

    error = refused(
        "invalid",
        desk.apply,
        instruct(),
        carry(),
        reference="order-9",
        amount_due=Decimal(50),
    )

    assert "The shop has told another amount" in str(error.fields["amount_due"])
    assert PaymentSession.objects.get().amount_due == 60


def test_what_the_shop_says_at_that_moment_is_not_overwritten(sandbox, carry, instruct):
    """Between the clerk's look and the clerk's opening."""
    made = carry()
    shop = RunAfter(
        f'SELECT "{PaymentSession._meta.db_table}".',
        lambda: payments.open_session(reference="order-9", amount_due="80.00"),
    )

    with connection.execute_wrapper(shop):
        error = refused(
            "invalid",
            desk.apply,
            instruct(),
            made,
            reference="order-9",
            amount_due=Decimal(8),
        )

    assert shop.has_run
    assert set(error.fields) == {"amount_due"}
    session = PaymentSession.objects.get()
    assert (session.amount_due, session.due_by_desk) == (80, False)
    assert not Redemption.objects.exists()


def test_a_closed_order_takes_no_voucher(session, carry, instruct):
    payments.cancel(reference="order-1")

    refused("session_not_open", desk.apply, instruct(), carry(), reference="order-1")

    assert DeskAction.objects.get().outcome == "session_not_open"
    assert not Redemption.objects.exists()


def test_a_vouchers_number_is_no_orders_reference(carry, instruct):
    for typed in (HUNDRED, "good.0100.0001"):
        error = refused(
            "invalid",
            desk.apply,
            instruct(),
            carry(),
            reference=typed,
            amount_due=Decimal(40),
        )
        assert set(error.fields) == {"reference"}

    assert not PaymentSession.objects.exists()
    assert not Redemption.objects.exists()


def test_what_a_shop_calls_its_order_is_taken(sandbox, carry, instruct):
    payments.open_session(reference=HUNDRED, amount_due="40.00")

    assert desk.apply(instruct(), carry(), reference=HUNDRED).amount_covered == 40


def squeezed(number):
    """A host's own rule: its cards have dashes for the eye alone."""
    return number.replace("-", "").upper()


def test_a_number_is_found_as_it_stands_on_the_card(sandbox, configure):
    configure(NORMALISE_VOUCHER_NUMBER="tests.services.test_desk.squeezed")
    number = vault.normalise(HUNDRED)

    assert vault.number_in(f"She reads {HUNDRED} from the card.", number)
    assert not vault.number_in(f"She reads {FIFTY} from the card.", number)


def test_a_reason_with_the_number_in_it_is_refused(carry, instruct, held):
    made = instruct("10.00", reason="It is GOOD 0050 - 0001? No: GOOD-0050-0001.")
    error = refused("invalid", desk.hold, made, carry(FIFTY))
    assert set(error.fields) == {"reason"}
    assert PaymentSession.objects.count() == 1

    refused(
        "invalid",
        desk.redeem,
        instruct(reason="good-0100-0001"),
        held,
        plan=plan_of(held),
    )
    assert PaymentSession.objects.get().status == "open"

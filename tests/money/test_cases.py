"""What a person says of a case: every reason and every button, against Smart Gift's books.

Each scene brings a payment to a person for one reason. A true word must leave our rows in
agreement with the sandbox's ledger once everything is at rest; a word that comes twice, or
about something that has moved on, must do nothing.
"""

from decimal import Decimal

import pytest
from django.db import transaction
from wagtail.models import ModelLogEntry

from wagtail_smartgift import payments
from wagtail_smartgift.choices import Lane, Verdict
from wagtail_smartgift.client import RedeemReceipt
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    OutboxEvent,
    PaymentSession,
    Redemption,
    RedemptionEvent,
    StaffNotice,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    case_looking,
    cases,
    evidence,
    gateway,
    journal,
    progress,
    redeeming,
    vault,
)
from wagtail_smartgift.services.timebox import TimeBox
from wagtail_smartgift.services.worker import at_work

from .world import attempt, compare_books, compare_rest, describe_rows


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
REF = "order-1"
V = Verdict
FORGOTTEN_KEY = "another one, and long enough to be a key as well"


def row():
    return Redemption.objects.order_by("created_at").last()


def state():
    return payments.get_session(reference=REF)


def events():
    return list(
        OutboxEvent.objects.order_by("created_at").values_list("type", flat=True)
    )


@pytest.fixture
def clerk(world, django_user_model):
    return django_user_model.objects.create_user("miller")


@pytest.fixture
def say(clerk):
    """Return a function: say something of a voucher, by default the one that waits."""

    def settle(verdict, of=None, *, ids=(), seen=None, note="Seen in the dashboard."):
        of = of or Redemption.objects.filter(status="needs_attention").first() or row()
        case = evidence.of(Redemption.objects.select_related("session").get(pk=of.pk))
        return cases.settle(
            redemption_id=of.pk,
            verdict=verdict,
            seen=seen or (case.version if case else "0.0"),
            user=clerk,
            note=note,
            redemption_ids=ids,
        )

    return settle


@pytest.fixture
def rest(world, sandbox):
    """Return a function: come to rest, and hold our rows against the ledger."""

    def come_to_rest(*, books=True):
        world.until_quiet()
        compare_rest()
        if books:
            compare_books(sandbox)
        return state().status

    return come_to_rest


class Scene:
    """A shop, a till, and everything that goes wrong between them."""

    def __init__(self, world, sandbox, configure):
        self.world, self.sandbox, self.configure = world, sandbox, configure

    def fault(self, mode, operation="redeem", **more):
        self.sandbox.faults.add(Fault(operation=operation, mode=mode, **more))

    def confirm(self, mode=None, amount="30.00", number=HUNDRED):
        payments.add_voucher(reference=REF, voucher_no=number, amount=amount)
        if mode:
            self.fault(mode)
        return payments.confirm(reference=REF)

    def needs(self, code):
        self.world.until_quiet()
        found = Redemption.objects.get(status="needs_attention")
        assert found.attention_code == code
        assert state().status == "needs_attention"
        return found

    # -- a redeem without an answer ------------------------------------------------

    def taken_beside_a_till(self):
        self.sandbox.behaviour.update({"held_until": "absent", "docs_version": "V1"})
        self.confirm("lost_after")
        self.sandbox.spend_by_till(HUNDRED, "10.00")
        return self.needs("balance_moved")

    def taken_by_a_till_alone(self):
        self.confirm("lost_before")
        self.sandbox.release_by_till(HUNDRED)
        self.sandbox.spend_by_till(HUNDRED, "10.00")
        return self.needs("balance_moved")

    def expired(self):
        self.confirm("lost_after")
        self.sandbox.expire_voucher(HUNDRED)
        return self.needs("unreadable")

    def away(self):
        self.confirm("lost_after")
        self.fault("status", "*", times=None)
        found = self.needs("unreachable")
        self.sandbox.faults.clear()
        return found

    def locked(self):
        self.confirm("lost_after")
        self.configure(ENCRYPTION_KEYS=[FORGOTTEN_KEY])
        self.world.pass_time(60)
        return self.needs("undecryptable")

    # -- what cannot be given back -------------------------------------------------

    def without_ids(self, verb="cancel", **values):
        self.confirm("lost_after")
        self.world.until_quiet()
        assert row().redemption_ids == []
        attempt(getattr(payments, verb), reference=REF, **values)
        return self.needs("ids_lost")

    def refused(self, verb="cancel", **values):
        self.confirm()
        self.fault("refused", "reverse", times=None)
        attempt(getattr(payments, verb), reference=REF, **values)
        found = self.needs("reverse_refused")
        self.sandbox.faults.clear()
        return found

    def with_wrong_ids(self):
        self.confirm()
        Redemption.objects.update(redemption_ids=[999_999])
        attempt(payments.cancel, reference=REF)
        return self.needs("reverse_refused_ids")

    def without_its_rest(self):
        self.confirm()
        self.fault("refused", times=None)
        attempt(payments.refund, reference=REF, amount="10.00")
        found = self.needs("remainder_not_redeemed")
        self.sandbox.faults.clear()
        return found

    def ids(self, number=HUNDRED):
        return tuple(
            one.id
            for one in self.sandbox.redemptions(number)
            if one.reversed_at is None and one.by == "api"
        )

    def reverse_in_dashboard(self, number=HUNDRED):
        self.sandbox.reverse_by_staff(number)


@pytest.fixture
def scene(world, session, sandbox, configure):
    return Scene(world, sandbox, configure)


# -- was it redeemed? ------------------------------------------------------------


@pytest.mark.parametrize("how", ["taken_beside_a_till", "expired", "away"])
def test_it_was_redeemed(scene, say, rest, books, how):
    found = getattr(scene, how)()
    asked = [line.operation for line in scene.sandbox.log()].count("redeem")

    say(V.REDEEMED, ids=scene.ids())

    assert rest() == "confirmed"
    assert books(HUNDRED) == 30
    found.refresh_from_db()
    assert (found.status, found.proof, found.attention_code) == (
        "redeemed",
        "person",
        "",
    )
    assert tuple(found.redemption_ids) == scene.ids()
    assert [line.operation for line in scene.sandbox.log()].count("redeem") == asked
    assert events()[-2:] == ["voucher.redeemed", "session.confirmed"]


def test_with_its_ids_it_can_be_given_back(scene, say, rest, books):
    scene.taken_beside_a_till()
    say(V.REDEEMED, ids=scene.ids())

    payments.cancel(reference=REF)

    assert rest() == "cancelled"
    assert books(HUNDRED) == 0


def test_without_its_ids_giving_it_back_is_a_person_s_again(scene, say, rest):
    scene.taken_beside_a_till()
    say(V.REDEEMED)

    assert attempt(payments.cancel, reference=REF) == "needs_attention"
    assert scene.needs("ids_lost")


def test_it_was_not_redeemed_and_too_late_to_redeem_it(scene, say, rest, books):
    scene.taken_by_a_till_alone()
    scene.world.pass_time(3600)

    session = say(V.NOT_REDEEMED)

    assert session.status == "open"
    assert rest() == "open"
    assert books(HUNDRED) == 0
    assert events()[-1] == "session.reopened"
    assert state().amount_covered == 30


def test_it_was_not_redeemed_and_is_redeemed_at_once(scene, say, rest, books):
    scene.taken_by_a_till_alone()

    assert say(V.NOT_REDEEMED).status == "confirmed"

    assert rest() == "confirmed"
    assert books(HUNDRED) == 30


def test_a_number_that_cannot_be_read_is_settled_by_the_dashboard(
    scene, say, world, settings, books
):
    keys = settings.WAGTAIL_SMARTGIFT.get("ENCRYPTION_KEYS")
    scene.locked()

    assert say(V.REDEEMED).status == "confirmed"

    scene.configure(ENCRYPTION_KEYS=keys)
    world.until_quiet()
    compare_rest()
    compare_books(scene.sandbox)
    assert books(HUNDRED) == 30


def test_the_other_voucher_of_the_payment_is_redeemed_too(scene, say, rest, books):
    payments.add_voucher(reference=REF, voucher_no=HUNDRED, amount="30.00")
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    scene.taken_by_a_till_alone()
    first = Redemption.objects.get(status="needs_attention")
    assert first.amount == 30
    # Our holds lapse a little before Smart Gift's: until then nobody can take them anew.
    scene.world.pass_time(10)

    say(V.NOT_REDEEMED)

    assert rest() == "confirmed", describe_rows()
    assert (books(HUNDRED), books(FIFTY)) == (30, 50)


def test_what_the_other_voucher_paid_goes_back_when_it_is_too_late(
    scene, say, rest, books
):
    payments.add_voucher(reference=REF, voucher_no=HUNDRED, amount="30.00")
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    scene.taken_by_a_till_alone()
    scene.world.pass_time(3600)

    say(V.NOT_REDEEMED)

    assert rest() == "open"
    assert (books(HUNDRED), books(FIFTY)) == (0, 0)


def test_a_cancellation_that_was_asked_for_meanwhile_is_done(scene, say, rest, books):
    scene.taken_beside_a_till()
    PaymentSession.objects.update(cancel_requested=True)

    say(V.REDEEMED, ids=scene.ids())

    assert rest() == "cancelled"
    assert books(HUNDRED) == 0


# -- was it given back? ------------------------------------------------------------

STUCK = ["without_ids", "refused", "with_wrong_ids"]


@pytest.mark.parametrize("how", STUCK)
def test_it_was_reversed_in_the_dashboard(scene, say, rest, books, how):
    getattr(scene, how)()
    scene.reverse_in_dashboard()

    assert say(V.REVERSED).status == "cancelled"

    assert rest() == "cancelled"
    assert books(HUNDRED) == 0
    assert row().status == "reversed"
    assert events()[-2:] == ["voucher.reversed", "session.cancelled"]


@pytest.mark.parametrize("how", STUCK)
def test_its_ids_are_known_and_it_is_reversed_from_here(scene, say, rest, books, how):
    getattr(scene, how)()

    say(V.IDS_ARE, ids=scene.ids())

    assert rest() == "cancelled"
    assert books(HUNDRED) == 0


def test_it_was_not_reversed_and_smart_gift_is_asked_again(scene, say, rest, books):
    scene.refused()

    assert say(V.NOT_REVERSED).status == "cancelled"

    assert rest() == "cancelled"
    assert books(HUNDRED) == 0


def test_asked_again_in_vain_it_comes_back(scene, say, books):
    scene.with_wrong_ids()

    assert say(V.NOT_REVERSED).status == "needs_attention"

    assert scene.needs("reverse_refused_ids")
    assert books(HUNDRED) == 30


def test_said_not_to_be_reversed_although_it_was_loses_nothing(scene, say, books):
    """A wrong word: Smart Gift refuses the second reversal, and it comes back."""
    scene.refused()
    scene.reverse_in_dashboard()

    say(V.NOT_REVERSED)

    assert scene.needs("reverse_refused_ids")
    assert books(HUNDRED) == 0


def test_it_was_paid_back_another_way(scene, say, rest, books):
    scene.refused()

    assert say(V.PAID_BACK).status == "cancelled"

    # Smart Gift still has it redeemed, and the journal says why ours has not.
    assert rest(books=False) == "cancelled"
    assert books(HUNDRED) == 30
    last = RedemptionEvent.objects.filter(operation="settle").get()
    assert (last.reason, last.amount) == ("paid_back", -30)


@pytest.mark.parametrize("how", ["without_ids", "refused"])
def test_a_part_that_was_reversed_in_full_redeems_its_rest(
    scene, say, rest, books, how
):
    getattr(scene, how)("refund", amount="10.00")
    scene.reverse_in_dashboard()

    say(V.REVERSED)

    assert rest() == "confirmed"
    assert books(HUNDRED) == 20
    assert (state().amount_refunded, state().amount_covered) == (10, 20)


def test_a_part_cannot_be_paid_back_another_way(scene, say, books):
    scene.refused("refund", amount="10.00")

    with pytest.raises(cases.NotSettled) as error:
        say(V.PAID_BACK)

    assert error.value.problem == "not_offered"
    assert row().status == "needs_attention"


def test_ids_of_another_payment_are_refused(scene, say, books):
    """Reversing them would give back what somebody else has paid with."""
    payments.open_session(reference="order-2", amount_due="20.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)
    assert payments.confirm(reference="order-2").status == "confirmed"
    others = Redemption.objects.get().redemption_ids
    scene.without_ids()

    with pytest.raises(cases.NotSettled) as error:
        say(V.IDS_ARE, ids=tuple(str(one) for one in others))

    assert error.value.problem == "ids_of_another"
    assert books(HUNDRED) == 50


# -- the rest of a refund ------------------------------------------------------------


def test_the_rest_is_redeemed_again(scene, say, rest, books):
    scene.without_its_rest()

    say(V.TRY_REST)

    assert rest() == "confirmed"
    assert books(HUNDRED) == 20
    assert state().amount_refunded == 10


def test_the_rest_is_left_to_the_customer(scene, say, rest, books):
    scene.without_its_rest()

    say(V.NOT_REDEEMED)

    assert rest() == "confirmed"
    assert books(HUNDRED) == 0
    assert (state().amount_refunded, state().amount_covered) == (30, 0)
    assert events()[-1] == "session.refunded"


# -- answers that came late ------------------------------------------------------------


def redeem_by_hand(number, amount, *, token=None):
    """Have a lost request of ours arrive after all; returns its ids."""
    client = gateway.connect(get_conf().account("default"))
    token = token or client.hold(voucher_no=number, lane=Lane.MONEY).hold_token
    receipt = client.redeem(
        voucher_no=number,
        site_id="1",
        value=Decimal(amount),
        hold_token=token,
        lane=Lane.MONEY,
    )
    return list(receipt.redemptions)


@pytest.fixture
def late(scene, sandbox):
    """Return a function: a redeem is answered when its payment asks for it no more."""

    def answer(status, *, number=FIFTY, amount="50.00"):
        payments.add_voucher(reference=REF, voucher_no=number)
        sleeper = row()
        with transaction.atomic():
            journal.record(row(), "release", "succeeded", status="released")
        PaymentSession.objects.update(status=status)
        taken = redeem_by_hand(number, amount, token=vault.hold_token(sleeper))
        redeeming.write_receipt(sleeper, RedeemReceipt(redemptions=taken))
        return scene.needs("late_answer")

    return answer


@pytest.mark.parametrize(
    ("status", "ends"), [("open", "open"), ("cancelled", "cancelled")]
)
def test_what_came_late_is_given_back_from_here(late, say, rest, books, status, ends):
    late(status)
    assert books(FIFTY) == 50

    say(V.GIVE_BACK)

    assert rest() == ends
    assert books(FIFTY) == 0
    assert state().amount_redeemed == state().amount_refunded


@pytest.mark.parametrize("status", ["open", "cancelled", "confirmed"])
def test_what_came_late_was_reversed_in_the_dashboard(
    late, say, rest, books, scene, status
):
    late(status)
    scene.reverse_in_dashboard(FIFTY)

    say(V.REVERSED)

    assert rest() == status
    assert books(FIFTY) == 0
    assert state().amount_covered == 0


def test_what_was_redeemed_twice_is_reversed_once(scene, say, rest, books, sandbox):
    scene.confirm()
    sleeper = row()
    first = scene.ids()
    sleeper.attempt += 1
    sleeper.version -= 1
    extra = redeem_by_hand(HUNDRED, "30.00")
    redeeming.write_receipt(sleeper, RedeemReceipt(redemptions=extra))
    found = scene.needs("late_answer")
    case = evidence.of(Redemption.objects.select_related("session").get(pk=found.pk))
    assert case.extra_ids == tuple(extra)
    assert books(HUNDRED) == 60

    sandbox.reverse_by_staff(HUNDRED, *extra)
    say(V.EXTRA_REVERSED)

    assert rest() == "confirmed"
    assert books(HUNDRED) == 30
    assert tuple(row().redemption_ids) == first
    assert payments.cancel(reference=REF).status == "cancelled"
    assert rest() == "cancelled"
    assert books(HUNDRED) == 0


# -- books that differ -----------------------------------------------------------------


@pytest.fixture
def tampered(scene, sandbox):
    """A row that somebody has changed with a database shell."""
    scene.confirm()
    Redemption.objects.update(amount=20)
    attempt(payments.cancel, reference=REF)
    assert state().status == "needs_attention"
    return row()


def test_a_row_that_was_tampered_with_is_put_right(tampered, say, rest, books):
    case = evidence.of(tampered)
    assert case.question is evidence.Question.BOOKS
    assert case.why == "books_differ"

    say(V.NOT_REDEEMED, tampered)

    assert rest() == "cancelled"
    assert books(HUNDRED) == 0
    assert journal.fold(row().events.all()).taken == 0


def test_a_payment_in_which_nothing_is_in_doubt_goes_on(tampered, clerk, rest):
    # The developers have mended it.
    Redemption.objects.update(amount=30)
    RedemptionEvent.objects.create(
        redemption=tampered,
        operation="settle",
        outcome="succeeded",
        status=tampered.status,
        amount=-10,
    )
    session = PaymentSession.objects.get()
    seen = session.version

    cases.go_on(session_id=session.pk, seen=seen, user=clerk, note="Mended.")

    assert rest() == "cancelled"
    with pytest.raises(cases.Moved):
        cases.go_on(session_id=session.pk, seen=seen, user=clerk, note="Again.")


def test_a_payment_that_waits_for_a_word_does_not_go_on_without(scene, clerk):
    scene.taken_beside_a_till()
    session = PaymentSession.objects.get()

    with pytest.raises(cases.NotSettled):
        cases.go_on(
            session_id=session.pk, seen=session.version, user=clerk, note="Well?"
        )

    assert state().status == "needs_attention"


# -- looking before deciding -------------------------------------------------------------


def test_what_it_holds_now_can_be_read_before_deciding(scene, clerk, say):
    found = scene.away()

    assert case_looking.read_balance(redemption_id=found.pk, user=clerk) == ""

    case = evidence.of(Redemption.objects.select_related("session").get(pk=found.pk))
    assert (case.fallen, case.last_look.balance) == (30, 70)
    assert not case.contradicts(V.REDEEMED)
    assert case.contradicts(V.NOT_REDEEMED)
    last = RedemptionEvent.objects.order_by("id").last()
    assert (last.operation, last.actor) == ("check", "miller")
    assert say(V.REDEEMED).status == "confirmed"


def test_what_cannot_be_read_says_why(scene, clerk):
    found = scene.expired()

    problem = case_looking.read_balance(redemption_id=found.pk, user=clerk)

    assert "Smart Gift refuses it" in problem
    assert row().events.filter(operation="check").count() == 1


# -- one person, one word ------------------------------------------------------------


def test_a_word_is_written_with_who_said_it_and_why(scene, say, clerk):
    scene.taken_beside_a_till()

    say(V.REDEEMED, note="The dashboard has it at 12:03.")

    event = RedemptionEvent.objects.get(operation="settle")
    assert (event.actor, event.note) == ("miller", "The dashboard has it at 12:03.")
    assert (event.reason, event.outcome, event.amount) == ("redeemed", "succeeded", 30)
    entry = ModelLogEntry.objects.get(action=cases.SETTLE_ACTION)
    assert (entry.user, entry.label) == (clerk, REF)
    assert entry.data["verdict"] == "redeemed"


def test_a_second_word_about_what_was_seen_before_does_nothing(scene, say, rest, books):
    found = scene.taken_beside_a_till()
    seen = evidence.of(found).version
    say(V.REDEEMED, ids=scene.ids())

    with pytest.raises(cases.Moved):
        say(V.NOT_REDEEMED, found, seen=seen)

    assert rest() == "confirmed"
    assert books(HUNDRED) == 30
    assert RedemptionEvent.objects.filter(operation="settle").count() == 1


def test_a_word_about_a_row_that_a_late_answer_moved_does_nothing(scene, say, rest):
    found = scene.taken_beside_a_till()
    seen = evidence.of(found).version
    sleeper = Redemption.objects.get(pk=found.pk)
    sleeper.version -= 1

    redeeming.write_receipt(sleeper, RedeemReceipt(redemptions=list(scene.ids())))
    with pytest.raises(cases.Moved):
        say(V.NOT_REDEEMED, found, seen=seen)

    assert row().attention_code == "late_answer"
    say(V.REDEEMED)
    assert rest() == "confirmed"
    assert tuple(row().redemption_ids) == scene.ids()


def test_what_is_not_offered_is_refused(scene, say):
    scene.taken_beside_a_till()

    for verdict in set(V) - {V.REDEEMED, V.NOT_REDEEMED}:
        with pytest.raises(cases.NotSettled):
            say(verdict)

    assert row().status == "needs_attention"
    assert not RedemptionEvent.objects.filter(operation="settle").exists()


def test_a_reason_with_the_number_in_it_is_refused(scene, say):
    scene.taken_beside_a_till()

    with pytest.raises(cases.NotSettled) as error:
        say(V.REDEEMED, note="It was good - 0100-0001 and good-0100-0001.")

    assert error.value.problem == "number_in_note"
    assert row().status == "needs_attention"


def test_the_number_of_another_voucher_of_the_payment_is_refused(scene, say):
    payments.add_voucher(reference=REF, voucher_no=FIFTY, amount="5.00")
    scene.confirm("lost_after")
    scene.sandbox.expire_voucher(HUNDRED)
    scene.world.until_quiet()

    with pytest.raises(cases.NotSettled) as error:
        say(V.REDEEMED, ids=scene.ids(), note=f"The other one, {FIFTY}, is fine.")

    assert error.value.problem == "number_in_note"
    assert not RedemptionEvent.objects.filter(operation="settle").exists()


@pytest.mark.parametrize("typed", [HUNDRED, "good_0100_0001"])
def test_a_vouchers_number_is_no_redemption_id(scene, say, typed):
    scene.taken_beside_a_till()

    with pytest.raises(cases.NotSettled) as error:
        say(V.REDEEMED, ids=(typed,))

    assert error.value.problem == "number_as_id"
    assert row().status == "needs_attention"
    assert not RedemptionEvent.objects.filter(operation="settle").exists()


def test_an_id_that_has_a_short_number_in_it_is_one(scene, say, rest):
    """A venue's numbers may be of a few digits, which many an id has in it."""
    found = scene.taken_beside_a_till()
    [one, *_more] = scene.ids()
    short = vault.seal(str(one)[:1])
    Redemption.objects.filter(pk=found.pk).update(number_encrypted=short)

    say(V.REDEEMED, ids=scene.ids(), note="Seen.")

    assert tuple(row().redemption_ids) == scene.ids()


def test_a_copy_of_the_database_settles_nothing(scene, say, configure):
    scene.taken_beside_a_till()
    configure(
        ACCOUNTS={
            "default": {
                "API_KEY": "sandbox-other-key",
                "SITE_ID": "1",
                "BASE_URL": "http://127.0.0.1:9",
            }
        }
    )

    with pytest.raises(cases.NotSettled) as error:
        say(V.REDEEMED)

    assert error.value.problem == "foreign"
    assert row().status == "needs_attention"


def test_staff_who_were_not_told_yet_need_not_be(scene, say, configure):
    configure(ATTENTION_EMAILS=["staff@example.org"])
    scene.confirm("lost_before")
    scene.sandbox.top_up(HUNDRED, "5.00")
    session = PaymentSession.objects.get()
    scene.world.pass_time(40)
    # Nobody has sent the mail: the notice waits.
    with at_work(session, box=TimeBox.sweep()) as worker:
        progress.advance(worker)
    assert StaffNotice.objects.filter(told_at=None).count() == 1

    say(V.NOT_REDEEMED)

    assert not StaffNotice.objects.exists()

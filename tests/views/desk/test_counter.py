"""The voucher desk's pages: who may do what, what is shown, and asking once more."""

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from wagtail_smartgift import payments
from wagtail_smartgift.models import DeskAction, PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault


pytestmark = pytest.mark.django_db

HUNDRED = "GOOD-0100-0001"
LOOK, MOVE = "desk_redemption", "move_redemption"
INDEX = reverse("smartgift_counter:index")
HOLD, APPLY = (reverse(f"smartgift_counter:{name}") for name in ("hold", "apply"))


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def page_of(session):
    return reverse("smartgift_counter:payment", args=[session.pk])


def move(session, verb):
    return reverse("smartgift_counter:move", args=[session.pk, verb])


def carried_in(page):
    return re.search(r'name="carried" value="([^"]+)"', page).group(1)


def look_up(client, number=HUNDRED):
    return text(client.post(INDEX, {"voucher_no": number}))


@pytest.fixture
def held(db, sandbox):
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED)
    return PaymentSession.objects.get()


@pytest.fixture
def redeemed(held):
    payments.confirm(reference="order-1")
    return held


def filled(session, verb, **values):
    """Return what the page for a verb sends, with a reason."""
    state = payments.get_session(reference=session.reference)
    return {
        "form_id": str(uuid.uuid4()),
        "reason": "On the telephone.",
        "remaining": state.amount_remaining,
        "refunded_before": state.amount_refunded,
        "seen_status": state.status,
        **values,
    }


# -- who may -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "looks", "moves"),
    [((), False, False), ((LOOK,), True, False), ((MOVE,), True, True)],
)
def test_who_may_do_what(staff, held, sandbox, books, permissions, looks, moves):
    client = staff(*permissions)
    asked = len(sandbox.log())

    assert (client.get(INDEX).status_code == 200) is looks
    assert (client.post(INDEX, {"voucher_no": HUNDRED}).status_code == 200) is looks
    assert (len(sandbox.log()) > asked) is looks
    find = reverse("smartgift_counter:find")
    found = client.post(find, {"reference": "order-1"})
    assert (found.url == page_of(held)) is looks
    assert (client.get(page_of(held)).status_code == 200) is looks

    for verb in ("prepare", "redeem", "reverse"):
        assert (client.get(move(held, verb)).status_code == 200) is moves
    row = Redemption.objects.get()
    release = reverse("smartgift_counter:release", args=[held.pk, row.pk])
    assert (client.get(release).status_code == 200) is moves

    client.post(release, filled(held, "release"))
    client.post(move(held, "redeem"), filled(held, "redeem"))
    client.post(HOLD, {"carried": "x", "amount": "1.00", "confirmed": "1"})
    row.refresh_from_db()
    assert (row.status == "released") is moves
    assert DeskAction.objects.exists() is moves
    assert books(HUNDRED) == 0


def test_the_menu_shows_it_to_whoever_may(staff):
    assert f'"{INDEX}"' in text(staff(LOOK).get("/admin/"))


def test_a_stranger_is_sent_to_log_in(client, held, sandbox):
    asked = len(sandbox.log())

    assert client.post(INDEX, {"voucher_no": HUNDRED}).status_code == 302
    assert client.post(move(held, "redeem"), filled(held, "redeem")).status_code == 302
    assert len(sandbox.log()) == asked


def test_it_needs_a_token_against_forgery(staff, client, held, books):
    staff(MOVE)
    client.handler.enforce_csrf_checks = True

    for address in (INDEX, HOLD, APPLY, move(held, "redeem")):
        assert client.post(address, filled(held, "redeem")).status_code == 403
    assert books(HUNDRED) == 0


# -- looking up ----------------------------------------------------------------------


def test_what_is_known_of_a_number_is_shown_and_the_number_is_not(staff, held):
    answer = staff(LOOK).post(INDEX, {"voucher_no": f"  {HUNDRED} "})

    page = text(answer)
    assert "no-store" in answer["Cache-Control"]
    for shown in ("…0001", "100.00", "order-1", "By payment order-1", page_of(held)):
        assert shown in page
    assert HUNDRED not in page
    assert "0100-0001" not in page
    # Who may only look is offered nothing to move.
    assert HOLD not in page


def test_a_number_that_was_refused_is_not_shown_again(staff, sandbox):
    page = look_up(staff(MOVE), "WRONG-4711")

    assert "Smart Gift refuses it" in page
    assert "WRONG-4711" not in page
    assert "carried" not in page


def test_no_number_asks_for_one(staff, sandbox):
    assert "This field is required." in look_up(staff(LOOK), " ")
    assert "Enter the number on the voucher." in look_up(
        staff(LOOK, name="b"), "X" * 99
    )


def test_a_till_that_holds_it_is_named(staff, sandbox):
    sandbox.hold_by_till(HUNDRED)

    assert "By a till or another shop" in look_up(staff(LOOK))


# -- from a number to a payment --------------------------------------------------------


def test_a_number_is_held_after_a_second_question(staff, sandbox):
    client = staff(MOVE)
    carried = carried_in(look_up(client))
    form = {
        "carried": carried,
        "form_id": str(uuid.uuid4()),
        "amount": "30.00",
        "reason": "Paid at the till.",
    }

    asked = text(client.post(HOLD, form))
    assert "Yes, hold it" in asked
    assert HUNDRED not in asked
    assert not Redemption.objects.exists()

    answers = [client.post(HOLD, {**form, "confirmed": "1"}) for _turn in range(2)]

    session = PaymentSession.objects.get()
    assert {answer.url for answer in answers} == {page_of(session)}
    row = Redemption.objects.get()
    assert (row.status, row.amount) == ("held", 30)
    assert HUNDRED not in answers[0].url
    page = text(client.get(page_of(session)))
    assert "Paid at the till." in page
    assert HUNDRED not in page
    assert "miller" in page


def test_a_number_is_applied_to_an_order(staff, sandbox):
    payments.open_session(reference="order-1", amount_due="120.00")
    client = staff(MOVE)
    form = {
        "carried": carried_in(look_up(client)),
        "form_id": str(uuid.uuid4()),
        "reference": "order-1",
        "reason": "Phone order.",
        "confirmed": "1",
    }

    client.post(APPLY, form)

    assert payments.get_session(reference="order-1").amount_covered == 100


def test_an_order_that_is_not_known_asks_what_it_comes_to(staff, sandbox):
    client = staff(MOVE)
    form = {
        "carried": carried_in(look_up(client)),
        "form_id": str(uuid.uuid4()),
        "reference": "order-9",
        "reason": "Phone order.",
        "confirmed": "1",
    }

    assert "Enter what it comes to." in text(client.post(APPLY, form))
    assert not PaymentSession.objects.exists()

    client.post(APPLY, {**form, "amount_due": "40.00"})
    assert payments.get_session(reference="order-9").amount_covered == 40


def test_somebody_elses_number_is_asked_for_again(staff, sandbox):
    carried = carried_in(look_up(staff(MOVE)))
    form = {"carried": carried, "form_id": str(uuid.uuid4()), "amount": "1.00"}

    answer = staff(MOVE, name="baker").post(
        HOLD, {**form, "reason": "x", "confirmed": "1"}, follow=True
    )

    assert "Please enter the voucher&#x27;s number again." in text(answer)
    assert not Redemption.objects.exists()


def test_without_a_reason_nothing_is_done(staff, held, books):
    client = staff(MOVE)
    form = {**filled(held, "redeem"), "reason": "  "}

    assert "This field is required." in text(client.post(move(held, "redeem"), form))

    assert books(HUNDRED) == 0
    assert not DeskAction.objects.exists()


# -- moving ------------------------------------------------------------------------------


def test_redeemed_refunded_and_given_back(staff, held, books):
    client = staff(MOVE)

    page = text(client.get(move(held, "redeem")))
    assert "£30.00 are taken" in page
    assert "the shop is told" in page
    client.post(move(held, "redeem"), filled(held, "redeem"))
    assert books(HUNDRED) == 30

    client.post(move(held, "refund"), filled(held, "refund", amount="10.00"))
    assert books(HUNDRED) == 20

    client.post(move(held, "reverse"), filled(held, "reverse"))
    assert books(HUNDRED) == 0
    assert "Cancelled" in text(client.get(page_of(held)))


def test_a_double_click_refunds_once(staff, redeemed, books):
    client = staff(MOVE)
    form = filled(redeemed, "refund", amount="10.00")

    for _turn in range(2):
        client.post(move(redeemed, "refund"), form)

    assert books(HUNDRED) == 20


def test_what_somebody_else_has_moved_is_not_moved_again(staff, redeemed, books):
    client = staff(MOVE)
    form = filled(redeemed, "refund", amount="10.00")
    payments.refund(reference="order-1", amount="5.00")

    answer = client.post(move(redeemed, "refund"), form, follow=True)

    assert "Somebody has changed this payment meanwhile" in text(answer)
    assert books(HUNDRED) == 25


def test_an_answer_that_was_lost_is_said_honestly(staff, held, sandbox):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
    client = staff(MOVE)

    answer = client.post(move(held, "redeem"), filled(held, "redeem"), follow=True)

    page = text(answer)
    assert "Smart Gift has not answered for good." in page
    assert "Done." not in page


def test_more_than_is_left_is_refused_in_the_form(staff, redeemed, books):
    form = filled(redeemed, "refund", amount="31.00")

    page = text(staff(MOVE).post(move(redeemed, "refund"), form))

    assert "This is more than is left to refund." in page
    assert books(HUNDRED) == 30


def test_an_unknown_verb_is_not_found(staff, held):
    client = staff(MOVE)

    for verb in ("delete", "hold", "x"):
        assert client.get(move(held, verb)).status_code == 404


def test_it_works_where_requests_are_transactions(staff, held, books, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    staff(MOVE).post(move(held, "redeem"), filled(held, "redeem"))

    assert books(HUNDRED) == 30


def test_a_number_with_a_long_past_costs_the_same(staff, held):
    client = staff(LOOK)
    look_up(client)
    with CaptureQueriesContext(connection) as few:
        look_up(client)
    row = Redemption.objects.get()
    Redemption.objects.bulk_create(
        Redemption(
            session=held,
            position=leg,
            leg=leg,
            fingerprint=row.fingerprint,
            display_code=row.display_code,
            number_encrypted=row.number_encrypted,
            status="released",
        )
        for leg in range(2, 40)
    )
    with CaptureQueriesContext(connection) as many:
        look_up(client)
    assert len(many) == len(few)

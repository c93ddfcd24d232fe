"""The voucher desk's pages: who may do what, what is shown, and asking once more."""

import re
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.services.test_sales import CUSTOMER
from wagtail_smartgift import ledger, payments, sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.models import (
    DeskAction,
    PaymentSession,
    Redemption,
    VoucherOrderItem,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, vault


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


def hidden_in(page):
    """Return what the form of a page sends along unseen."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


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
        "plan": ledger.plan(state),
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


def held_by(page):
    return re.search(r"<dt>Held</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL).group(1)


def test_a_hold_that_is_over_holds_nothing(staff, held, sandbox):
    """Its row stays as it was, until somebody meets it."""
    client = staff(LOOK)
    assert held_by(look_up(client)).startswith("By payment order-1, until")
    sandbox.clock.advance(301)

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert held_by(look_up(client)) == "No"
        sandbox.hold_by_till(HUNDRED)
        assert held_by(look_up(client)).startswith("By a till or another shop")
    assert Redemption.objects.get().status == "held"


def test_what_smart_gift_says_is_free_is_not_held_by_us(staff, held, sandbox):
    """It has ended the hold before its time; our row knows nothing of it."""
    sandbox.clock.advance(301)

    assert held_by(look_up(staff(LOOK))) == "No"


@pytest.mark.parametrize("shown", [True, False])
def test_a_smart_gift_that_does_not_tell_of_holds(staff, held, sandbox, shown):
    sandbox.behaviour.held_until = "absent"
    later = timedelta(seconds=0 if shown else 301)
    sandbox.clock.advance(later.seconds)

    with time_machine.travel(timezone.now() + later):
        said = held_by(look_up(staff(LOOK)))

    assert said.startswith("By payment order-1") if shown else said == "Not known"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"mode": "status", "status": 503}, "Smart Gift could not be reached."),
        ({"mode": "unauthorised"}, "Smart Gift did not accept the shop"),
        ({"mode": "rate_limited"}, "The quota of calls to Smart Gift was used up."),
    ],
)
def test_why_nothing_is_told_is_a_sentence_in_the_readers_language(
    staff, sandbox, fault, sentence
):
    sandbox.faults.add(Fault(operation="check", times=None, **fault))

    page = look_up(staff(MOVE))

    assert sentence in page
    assert "check:" not in page
    assert "HTTP" not in page
    assert "carried" not in page


def test_who_looked_a_number_up_is_told_with_all_that_is_known_of_it(staff, sandbox):
    look_up(staff(LOOK, name="baker"))

    page = look_up(staff(LOOK))

    assert page.count("Looked up at the voucher desk") == 2
    assert "baker" in page
    # Nothing was done with it, and of another number nobody knows.
    assert "This shop has not dealt with it before." in page
    assert "baker" not in look_up(staff(LOOK, name="smith"), "GOOD-0050-0001")


def test_amounts_have_their_currency(staff, held, configure):
    client = staff(MOVE)
    configure(CURRENCY="EUR")

    page = look_up(client)

    # What Smart Gift says is today's money, and the payment keeps its own.
    assert "<dd>€100.00</dd>" in re.sub(r"\s+", "", page)
    assert "£30.00" in page
    assert "€30.00" not in page
    # The journal's balance, under the hold of a payment in pounds.
    assert "The voucher held £100.00." in page
    table = text(client.get(page_of(held)))
    assert table.count("£30.00") >= 2
    assert "£100.00" in table
    assert not re.search(r">\s*\d+\.\d\d\s*<", page + table)


def test_where_it_was_sold_is_told_in_the_money_of_then(staff, sandbox, configure):
    configure(CURRENCY="EUR")
    catalogue.sync(get_conf().account("default"))
    sales.place_order(
        reference="sold-1",
        items=[{"product": 37, "price": "50.00"}],
        customer=CUSTOMER,
        delivery={"method": "1", "price": "0.00"},
    )
    number = vault.open_sealed(VoucherOrderItem.objects.get().number_encrypted)
    configure(CURRENCY="GBP")

    page = look_up(staff(LOOK), number)

    assert "sold-1" in page
    assert "Placed" in page
    assert "€50.00" in page


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


def test_a_number_that_was_refused_can_be_tried_once_more(staff, sandbox):
    """A till had it; the clerk asks again with another reason, and says less."""
    client = staff(MOVE)
    form = {
        "carried": carried_in(look_up(client)),
        "form_id": str(uuid.uuid4()),
        "amount": "30.00",
        "reason": "On the telephone.",
        "confirmed": "1",
    }
    sandbox.hold_by_till(HUNDRED)
    page = text(client.post(HOLD, form))
    assert str(ERROR_CODES["voucher_held"][1]) in page
    sandbox.clock.advance(301)

    again = {**hidden_in(page), "amount": "20.00", "reason": "Again.", "confirmed": "1"}
    assert again["form_id"] != form["form_id"]
    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        answer = client.post(HOLD, again)

    assert answer.status_code == 302
    row = Redemption.objects.get(status="held")
    assert row.amount == 20
    told = DeskAction.objects.order_by("created_at").values_list("reason", "outcome")
    assert list(told) == [("On the telephone.", "voucher_held"), ("Again.", "done")]


def test_another_vouchers_number_in_the_reason_is_not_shown_again(staff, held):
    client = staff(MOVE)
    form = {
        "carried": carried_in(look_up(client, "GOOD-0050-0001")),
        "form_id": str(uuid.uuid4()),
        "reference": "order-1",
        "reason": f"Beside her {HUNDRED}.",
        "confirmed": "1",
    }

    page = text(client.post(APPLY, form))

    assert "Leave the voucher&#x27;s number out of the reason." in page
    assert HUNDRED not in page
    assert Redemption.objects.count() == 1
    assert not DeskAction.objects.exists()


def test_a_number_typed_as_the_orders_reference_is_not_shown_again(staff, sandbox):
    client = staff(MOVE)
    form = {
        "carried": carried_in(look_up(client)),
        "form_id": str(uuid.uuid4()),
        "reference": HUNDRED,
        "amount_due": "40.00",
        "reason": "Phone order.",
    }

    for confirmed in ({}, {"confirmed": "1"}):
        page = text(client.post(APPLY, form | confirmed))
        assert "This is the voucher&#x27;s number." in page
        assert HUNDRED not in page

    assert not PaymentSession.objects.exists()


# -- experiences -------------------------------------------------------------------------

TEA = "TEA-0002-0001"


@pytest.fixture
def worth(configure):
    configure(EXPERIENCE_VALUE="tests.services.test_desk.ten_each")


def test_experiences_are_chosen_named_and_used_up_and_no_others(staff, sandbox, worth):
    client = staff(MOVE)
    found = look_up(client, TEA)
    for name in ("Afternoon tea for two", "A walk to the weir with our gardener"):
        assert name in found
    form = {
        "carried": carried_in(found),
        "form_id": str(uuid.uuid4()),
        "amount": "4.00",
        "reason": "Paid at the till.",
    }

    assert "This field is required." in text(client.post(HOLD, form))
    assert not PaymentSession.objects.exists()

    asked = text(client.post(HOLD, {**form, "experiences": ["8"]}))
    assert "used up as a whole: A walk to the weir with our gardener." in asked
    assert 'name="experiences" value="8"' in asked
    assert "Afternoon tea" not in asked
    assert "for £4.00" in asked

    client.post(HOLD, {**form, "experiences": ["8"], "confirmed": "1"})
    session = PaymentSession.objects.get()
    page = text(client.get(page_of(session)))
    assert "A walk to the weir with our gardener" in page
    assert "Afternoon tea" not in page

    asked = text(client.get(move(session, "redeem")))
    assert "…0001 are used up: A walk to the weir with our gardener." in asked
    assert "They are worth £10.00 here and pay £4.00." in asked
    client.post(move(session, "redeem"), filled(session, "redeem"))

    used = [one.bit_value for one in sandbox.voucher(TEA).experiences if one.used_by]
    assert used == [8]


def test_a_part_of_an_experience_cannot_be_asked_for_an_order(staff, sandbox, worth):
    payments.open_session(reference="order-1", amount_due="12.00")
    client = staff(MOVE)
    found = look_up(client, TEA)
    assert "At most" not in found
    assert "At most" in look_up(client)
    form = {
        "carried": carried_in(found),
        "form_id": str(uuid.uuid4()),
        "reference": "order-1",
        "experiences": ["2", "8"],
        "reason": "Phone order.",
        "confirmed": "1",
    }

    client.post(APPLY, form)

    state = payments.get_session(reference="order-1")
    assert (state.amount_covered, state.redemptions[0].experiences) == (12, (2, 8))
    page = text(client.get(page_of(PaymentSession.objects.get())))
    assert "Experiences: Afternoon tea for two, A walk to the weir" in page


def test_where_experiences_have_no_value_none_is_offered(staff, sandbox):
    page = look_up(staff(MOVE), TEA)

    assert "Afternoon tea for two" in page
    assert "has not been told what an experience is worth" in page
    assert "carried" not in page


def test_a_voucher_whose_experiences_are_used_up_is_not_offered(staff, sandbox, worth):
    payments.open_session(reference="order-1", amount_due="20.00")
    payments.add_voucher(reference="order-1", voucher_no=TEA)
    payments.confirm(reference="order-1")

    page = look_up(staff(MOVE), TEA)

    assert "order-1" in page
    assert "carried" not in page


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


def test_what_the_page_says_is_what_is_redeemed(staff, sandbox, books):
    """The page takes along what it has shown: nothing else is redeemed with its form."""
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")
    row = PaymentSession.objects.get()
    client = staff(MOVE)
    page = text(client.get(move(row, "redeem")))
    assert "£30.00 are taken" in page
    assert "£50.00 remain" in page
    payments.open_session(reference="order-1", amount_due="120.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="70.00")
    form = {**hidden_in(page), "reason": "On the telephone."}

    answer = client.post(move(row, "redeem"), form, follow=True)

    assert "Somebody has changed this payment meanwhile" in text(answer)
    assert books(HUNDRED) == 0
    anew = {**hidden_in(text(client.get(move(row, "redeem")))), "reason": "Again."}
    client.post(move(row, "redeem"), anew)
    assert books(HUNDRED) == 70


@pytest.mark.parametrize(
    "number", ["1e999999999", "1e-999999", "NaN", "-1", "0.001", "\x00"]
)
def test_a_forged_hidden_number_is_refused_in_the_form(staff, redeemed, books, number):
    form = filled(redeemed, "refund", amount="1.00", refunded_before=number)

    answer = staff(MOVE).post(move(redeemed, "refund"), form)

    assert answer.status_code == 200
    assert books(HUNDRED) == 30
    assert not DeskAction.objects.exists()


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


def test_a_refund_that_was_refused_is_corrected_in_the_form(staff, redeemed, books):
    client = staff(MOVE)
    page = text(
        client.post(
            move(redeemed, "refund"), filled(redeemed, "refund", amount="31.00")
        )
    )

    form = {**hidden_in(page), "amount": "20.00", "reason": "Corrected."}
    answer = client.post(move(redeemed, "refund"), form, follow=True)

    assert "Done." in text(answer)
    assert books(HUNDRED) == 10
    told = DeskAction.objects.order_by("created_at").values_list("reason", "outcome")
    assert list(told) == [
        ("On the telephone.", "amount_too_large"),
        ("Corrected.", "done"),
    ]


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

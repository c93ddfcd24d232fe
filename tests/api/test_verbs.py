"""The table of verbs: every status of a payment × every call on it, over HTTP.

``TABLE`` is the one in ``docs/reference/payments.md``. Each cell is driven from a
payment that came into its status as one does in life, by a Smart Gift that loses
answers or has its vouchers held elsewhere, and says what Smart Gift's books look like
afterwards.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.api.conftest import Api, assert_problem
from wagtail_smartgift.choices import SessionStatus
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import reconciliation


FIFTY, HUNDRED, SPARE = "GOOD-0050-0001", "GOOD-0100-0001", "GOOD-0025-0001"
PATH = "server/payment-sessions/order-1"
VERBS = ("prepare", "confirm", "cancel", "refund")
#: status -> verb -> the answer: a code of a 409, or (HTTP status, status afterwards).
TABLE = {
    "open": {
        "prepare": (200, "open"),
        "confirm": (200, "confirmed"),
        "cancel": (200, "cancelled"),
        "refund": "not_confirmed",
    },
    "confirming": {
        "prepare": (202, "confirming"),
        "confirm": (202, "confirming"),
        "cancel": (202, "confirming"),
        "refund": "session_busy",
    },
    "confirmed": {
        "prepare": (200, "confirmed"),
        "confirm": (200, "confirmed"),
        "cancel": (200, "cancelled"),
        "refund": (200, "confirmed"),
    },
    "refunding": {
        "prepare": "session_busy",
        "confirm": "session_busy",
        "cancel": "session_busy",
        "refund": (202, "refunding"),
    },
    "cancelling": {
        "prepare": "session_busy",
        "confirm": "session_busy",
        "cancel": (202, "cancelling"),
        "refund": "session_busy",
    },
    "cancelled": {
        "prepare": "session_cancelled",
        "confirm": "session_cancelled",
        "cancel": (200, "cancelled"),
        "refund": "session_cancelled",
    },
    "needs_attention": dict.fromkeys(VERBS, "needs_attention"),
}
CELLS = [(status, verb) for status, row in TABLE.items() for verb in row]


class Payment:
    """One payment of 80.00 and the two who may speak about it."""

    def __init__(self, server, customer, sandbox, clock):
        self.server, self.customer, self.sandbox = server, customer, sandbox
        self._clock = clock

    def wait(self, seconds):
        self.sandbox.clock.advance(seconds)
        self._clock.shift(seconds)

    def sweep_until(self, *statuses):
        for _pass in range(12):
            if self.seen()["status"] in statuses:
                return
            self.wait(130)
            reconciliation.reconcile()
        raise AssertionError(self.seen())

    def add(self, number=FIFTY, **more):
        body = {"voucher_no": number, **more}
        return self.customer.post("payment-session/redemptions", body)

    def verb(self, name, body=None, **headers):
        return self.server.post(f"{PATH}/{name}", body, **headers)

    def seen(self):
        return self.server.get(PATH).json()

    def taken(self):
        """Return what Smart Gift's books say was taken and not given back."""
        return sum(
            Decimal(line.pence) / 100
            for number in (FIFTY, HUNDRED, SPARE)
            for line in self.sandbox.redemptions(number)
            if line.reversed_at is None
        )

    def bring_to(self, status):
        """Let it come into a status as it does when answers are lost."""
        if status == "confirming":
            # A small part of a large balance: nobody can tell at once.
            self.add(HUNDRED, amount="30.00")
            self.lose("redeem")
        else:
            self.add()
        if status == "needs_attention":
            self.lose("redeem")
        if status not in {"open", "cancelled"}:
            assert self.verb("confirm").status_code in {200, 202}
        if status == "needs_attention":
            # It was redeemed, but with the answer went the ids to reverse it by.
            self.sweep_until("confirmed")
        if status in {"cancelling", "refunding"}:
            self.lose("reverse")
        last = {
            "cancelled": "cancel",
            "cancelling": "cancel",
            "refunding": "refund",
            "needs_attention": "cancel",
        }.get(status)
        if last is not None:
            self.verb(last)
        assert self.seen()["status"] == status
        return self

    def have_another_hold_it(self):
        """Redeem a part of a voucher that another payment holds then.

        Returns the other customer, and the address of the redemption.
        """
        self.sandbox.behaviour = replace(
            self.sandbox.behaviour, reverse_while_held=False
        )
        self.add(HUNDRED, amount="30.00")
        self.verb("confirm")
        opened = self.server.post(
            "server/payment-sessions", {"reference": "order-2", "amount_due": "9.00"}
        )
        other = Api(opened.json()["client_secret"])
        answer = other.post("payment-session/redemptions", {"voucher_no": HUNDRED})
        assert answer.status_code == 201
        [redemption] = answer.json()["redemptions"]
        return other, f"payment-session/redemptions/{redemption['id']}"

    def lose(self, operation):
        self.sandbox.faults.add(Fault(operation=operation, mode="lost_after"))


@pytest.fixture
def payment(server, customer, sandbox, time_machine_now):
    return Payment(server, customer, sandbox, time_machine_now)


@pytest.mark.parametrize(("status", "verb"), CELLS)
def test_each_verb_in_each_status(payment, status, verb):
    payment.bring_to(status)
    taken, calls = payment.taken(), len(payment.sandbox.log())

    answer = payment.verb(verb)

    expected = TABLE[status][verb]
    if isinstance(expected, str):
        assert_problem(answer, expected, 409)
        assert payment.seen()["status"] == status
        assert payment.taken() == taken
        assert len(payment.sandbox.log()) == calls
        if expected == "session_busy":
            assert int(answer["Retry-After"]) >= 1
        return
    assert (answer.status_code, answer.json()["status"]) == expected
    assert payment.seen()["status"] == expected[1]
    assert payment.taken() == {
        ("open", "confirm"): 50,
        ("confirmed", "cancel"): 0,
        ("confirmed", "refund"): 0,
    }.get((status, verb), taken)


@pytest.mark.parametrize("status", [status for status in TABLE if status != "open"])
def test_nothing_is_changed_where_it_is_not_open(payment, status):
    payment.bring_to(status)
    before, taken = payment.seen(), payment.taken()
    calls = len(payment.sandbox.log())
    refused = [
        payment.add(SPARE),
        payment.server.post(
            "server/payment-sessions", {"reference": "order-1", "amount_due": "81.00"}
        ),
    ]
    refused += [
        payment.customer.delete(f"payment-session/redemptions/{row['id']}")
        for row in before["redemptions"]
    ]

    # A cancellation has given every voucher back: taking it out again is a repeat.
    if status != "cancelled":
        assert len(refused) == 3
    for answer in refused:
        assert_problem(answer, "session_not_open", 409)
    assert {**payment.seen(), "now": ""} == {**before, "now": ""}
    assert (payment.taken(), len(payment.sandbox.log())) == (taken, calls)


@pytest.mark.parametrize("status", TABLE)
def test_the_same_amounts_may_be_said_again_in_every_status(payment, status):
    payment.bring_to(status)
    body = {"reference": "order-1", "amount_due": "80.00"}

    again = payment.server.post("server/payment-sessions", body)

    assert (again.status_code, again.json()["status"]) == (200, status)
    own = Api(again.json()["client_secret"]).get("payment-session")
    assert own.json()["status"] == status


def test_the_table_has_every_status():
    assert set(TABLE) == set(SessionStatus.values)


# -- what the cells leave out -------------------------------------------------


def test_without_vouchers_it_is_confirmed_at_once(payment):
    answer = payment.verb("confirm", {"amount_remaining": "80.00"})

    assert (answer.status_code, answer.json()["status"]) == (200, "confirmed")
    assert payment.sandbox.log() == []


def test_a_voucher_that_pays_all_leaves_nothing_for_the_card(payment):
    assert payment.add(HUNDRED).json()["amount_remaining"] == "0.00"

    answer = payment.verb("confirm", {"amount_remaining": 0})

    assert answer.status_code == 200
    assert answer.json()["amount_covered"] == "80.00"


def test_prepare_says_that_a_voucher_holds_less(payment):
    payment.add()
    payment.wait(301)
    payment.sandbox.spend_by_till(FIFTY, "30.00")

    assert_problem(payment.verb("prepare"), "shortfall", 409)

    # The amounts are shared out anew, and now it can be had.
    assert payment.seen()["amount_covered"] == "20.00"
    assert payment.verb("prepare").status_code == 200
    assert payment.sandbox.voucher(FIFTY).balance == 20


def test_prepare_says_that_a_voucher_is_held_elsewhere(payment):
    payment.add()
    payment.wait(301)
    payment.sandbox.hold_by_till(FIFTY)

    answer = payment.verb("prepare")

    assert_problem(answer, "voucher_held", 409)
    assert 280 < int(answer["Retry-After"]) <= 301
    assert payment.seen()["status"] == "open"


def test_prepare_says_that_a_hold_cannot_be_had_again(payment):
    payment.add()
    payment.wait(301)
    payment.sandbox.faults.add(Fault(operation="hold", mode="refused"))

    assert_problem(payment.verb("prepare"), "hold_lost", 409)
    assert payment.seen()["amount_covered"] == "0.00"


def test_confirm_renews_a_short_hold_itself(payment):
    payment.add()
    payment.wait(280)

    assert payment.verb("confirm").json()["status"] == "confirmed"
    assert payment.taken() == 50


def test_a_confirmation_that_fails_gives_back_and_opens_again(payment):
    payment.add()
    payment.add(SPARE)
    # It is looked at under its hold and then refused, with the first redeemed already.
    payment.sandbox.faults.add(
        Fault(operation="redeem", mode="refused", voucher_no=SPARE)
    )

    answer = payment.verb("confirm")

    assert_problem(answer, "hold_lost", 409)
    assert payment.seen()["status"] == "open"
    assert payment.taken() == 0
    assert payment.sandbox.voucher(FIFTY).balance == 50


def test_a_cancel_while_confirming_is_undone_once_settled(payment):
    payment.bring_to("confirming")
    assert payment.verb("cancel").status_code == 202

    payment.sweep_until("cancelled", "needs_attention")

    # With the answer went the ids to reverse it by: the rest is a person's.
    assert payment.seen()["status"] == "needs_attention"
    assert payment.taken() == 30


def test_a_cancel_while_confirming_undoes_what_was_not_taken(payment):
    payment.add(HUNDRED, amount="30.00")
    payment.sandbox.faults.add(Fault(operation="redeem", mode="lost_before"))
    assert payment.verb("confirm").status_code == 202
    assert payment.verb("cancel").status_code == 202

    payment.sweep_until("cancelled", "needs_attention")

    assert payment.seen()["status"] == "cancelled"
    assert payment.taken() == 0
    assert payment.sandbox.voucher(HUNDRED).hold is None


@pytest.mark.parametrize("verb", ["cancel", "refund"])
def test_a_voucher_in_another_payment_is_given_back_when_that_hold_ends(payment, verb):
    payment.have_another_hold_it()

    assert payment.verb(verb).status_code == 202
    assert payment.taken() == 30

    payment.sweep_until("cancelled", "confirmed")
    seen = payment.seen()
    assert seen["status"] == ("cancelled" if verb == "cancel" else "confirmed")
    assert (seen["amount_covered"], payment.taken()) == ("0.00", 0)


@pytest.mark.parametrize("verb", ["cancel", "refund"])
def test_it_is_given_back_as_soon_as_the_other_payment_lets_go(payment, verb):
    """Long before the other one's hold would have ended."""
    other, held = payment.have_another_hold_it()
    assert payment.verb(verb).status_code == 202

    assert other.delete(held).status_code == 204
    payment.wait(16)
    reconciliation.reconcile()

    assert payment.seen()["amount_covered"] == "0.00"
    assert payment.seen()["status"] in {"cancelled", "confirmed"}
    assert payment.taken() == 0


def test_nobody_is_told_to_wait_longer_than_a_hold_lasts(payment):
    """Ours may be reckoned to last some seconds more, when its answer was lost."""
    payment.lose("hold")

    answer = payment.add()

    assert_problem(answer, "voucher_held", 409)
    assert 290 <= int(answer["Retry-After"]) <= 300


def test_a_hold_that_is_over_is_shown_as_lapsed_before_anybody_has_met_it(payment):
    payment.add()
    payment.wait(301)

    [shown] = payment.seen()["redemptions"]

    assert (shown["status"], shown["held_until"]) == ("lapsed", None)
    assert payment.seen()["amount_covered"] == "50.00"
    assert Redemption.objects.get().status == "held"
    assert payment.verb("confirm").status_code == 200


def test_after_everything_is_refunded_it_stays_confirmed(payment):
    payment.bring_to("confirmed")
    payment.verb("refund")

    again = payment.verb("refund")

    assert (again.status_code, again.json()["status"]) == (200, "confirmed")
    assert again.json()["amount_covered"] == "0.00"
    over = payment.verb("refund", {"amount": "0.01"}, **{"Idempotency-Key": "k"})
    assert_problem(over, "amount_too_large", 422)
    assert payment.taken() == 0


def test_a_refund_takes_the_last_voucher_first(payment):
    payment.add(FIFTY)
    payment.add(SPARE)
    payment.verb("confirm")

    answer = payment.verb("refund", {"amount": "35.00"}, **{"Idempotency-Key": "k"})

    assert answer.json()["amount_covered"] == "40.00"
    assert payment.sandbox.voucher(SPARE).balance == 25
    assert payment.sandbox.voucher(FIFTY).balance == 10


def test_the_same_voucher_again_and_after_it_was_removed(payment):
    first = payment.add(amount="20.00")
    assert first.status_code == 201
    [row] = first.json()["redemptions"]

    again = payment.add(amount="30.00")
    assert again.status_code == 200
    assert [item["id"] for item in again.json()["redemptions"]] == [row["id"]]
    assert again.json()["amount_covered"] == "30.00"

    payment.wait(301)
    reconciliation.reconcile()
    assert payment.seen()["redemptions"][0]["status"] == "lapsed"
    lapsed = payment.add()
    assert lapsed.status_code == 200
    [held] = lapsed.json()["redemptions"]
    assert (held["id"], held["status"], held["amount"]) == (row["id"], "held", "50.00")

    payment.customer.delete(f"payment-session/redemptions/{row['id']}")
    anew = payment.add()
    assert anew.status_code == 201
    [other] = anew.json()["redemptions"]
    assert other["id"] != row["id"]
    assert Redemption.objects.count() == 2

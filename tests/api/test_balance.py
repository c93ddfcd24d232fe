"""Balance look-ups, and the limits on guessing numbers."""

import json

import pytest
from django.test import RequestFactory

from tests.api.conftest import Api, assert_problem
from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    GuessCounter,
    PaymentSession,
    RedemptionEvent,
    StoredAnswer,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import counters, guessing, reconciliation
from wagtail_smartgift.visitors import client_of


FIFTY, HUNDRED, TEA = "GOOD-0050-0001", "GOOD-0100-0001", "TEA-0002-0001"


def balance(api, number=FIFTY, address="203.0.113.1", **headers):
    return api._client.post(
        "/smartgift/api/balance",
        {"voucher_no": number},
        content_type="application/json",
        REMOTE_ADDR=address,
        headers=headers,
    )


def add(customer, number):
    return customer.post("payment-session/redemptions", {"voucher_no": number})


def open_for(server, reference):
    answer = server.post(
        "server/payment-sessions", {"reference": reference, "amount_due": "500.00"}
    )
    return Api(answer.json()["client_secret"])


def spend_the_global_budget(anonymous):
    for number in range(20):
        address = f"198.51.100.{number}"
        answer = balance(anonymous, f"GUESS-{number}", address)
        assert_problem(answer, "voucher_not_usable", 422)


# -- what it tells ------------------------------------------------------------


def test_a_monetary_voucher(anonymous, sandbox):
    answer = balance(anonymous, f" {FIFTY[:6]} {FIFTY[6:]} ")

    assert answer.status_code == 200
    assert answer.json() == {
        "type": "monetary",
        "balance": "50.00",
        "experiences": [],
        "held_until": None,
    }
    assert answer["Cache-Control"] == "no-store"
    assert [line.operation for line in sandbox.log()] == ["check"]
    assert not RedemptionEvent.objects.exists()


def test_an_experience_voucher_has_no_balance(anonymous, sandbox):
    body = balance(anonymous, TEA).json()

    assert (body["type"], body["balance"]) == ("experience", None)
    assert body["experiences"]
    assert set(body["experiences"][0]) == {"bit_value", "name"}


def test_a_voucher_that_is_being_paid_with_says_until_when(anonymous, opened, customer):
    add(customer, FIFTY)

    body = balance(anonymous).json()

    assert body["balance"] == "50.00"
    assert body["held_until"].endswith("Z")


@pytest.mark.parametrize(
    "number",
    [
        "NO-SUCH-NUMBER",
        "EXPIRED-0025-0001",
        "EMPTY-0000-0001",
        "CANCELLED-0025-0001",
        "QUAY-0050-0001",
        "x" * 65,
    ],
)
def test_one_answer_for_all_that_cannot_be_used(anonymous, sandbox, number):
    body = assert_problem(balance(anonymous, number), "voucher_not_usable", 422)

    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert number not in str(body)


@pytest.mark.parametrize("number", ["", "  ", None, 5, ["x"], "\0"])
def test_no_number_is_no_guess(anonymous, sandbox, number):
    body = assert_problem(balance(anonymous, number), "invalid", 422)

    assert [error["field"] for error in body["errors"]] == ["voucher_no"]
    assert not GuessCounter.objects.exists()
    assert sandbox.log() == []


def test_smart_gift_down_is_no_guess(anonymous, sandbox):
    sandbox.faults.add(Fault(operation="*", mode="status", status=503, times=None))

    for _attempt in range(6):
        assert balance(anonymous).status_code == 503
        assert int(balance(anonymous)["Retry-After"]) >= 1
    assert GuessCounter.objects.get(key="failures").count == 0


def test_an_unknown_site_is_named(anonymous, sandbox):
    answer = anonymous.post("balance?site=no.such", {"voucher_no": FIFTY})
    body = assert_problem(answer, "invalid", 422)
    assert body["errors"][0]["field"] == "site"


# -- under an Idempotency-Key ---------------------------------------------------


def keyed(anonymous, body, key="look-1", address="203.0.113.1"):
    return anonymous._client.generic(
        "POST",
        "/smartgift/api/balance",
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type="application/json",
        headers={"Idempotency-Key": key},
        REMOTE_ADDR=address,
    )


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"voucher_no": "GUESS-1"}, "voucher_not_usable", 422),
        ({"voucher_no": ""}, "invalid", 422),
        ({"voucher": FIFTY}, "invalid", 422),
        (b"{", "malformed", 400),
    ],
)
def test_a_refusal_for_good_is_kept(anonymous, sandbox, body, code, status):
    first = keyed(anonymous, body)
    calls = len(sandbox.log())

    again = keyed(anonymous, body)

    assert_problem(first, code, status)
    assert (again.status_code, again.content) == (status, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert not first.has_header("Idempotent-Replayed")
    assert len(sandbox.log()) == calls
    other = keyed(anonymous, {"voucher_no": FIFTY})
    assert_problem(other, "idempotency_conflict", 409)


def test_what_is_kept_of_a_number_is_not_found_by_trying_them_all(
    anonymous, sandbox, configure
):
    """Whoever has the database, and an address from a log, has no key of ours."""
    keyed(anonymous, {"voucher_no": FIFTY})
    one = StoredAnswer.objects.get()

    configure(FINGERPRINT_KEY="another-key-for-fingerprints-of-32-bytes")
    keyed(anonymous, {"voucher_no": FIFTY})

    other = StoredAnswer.objects.exclude(pk=one.pk).get()
    assert one.key_digest != other.key_digest
    assert one.body_digest != other.body_digest


def test_what_is_not_final_is_not_kept(anonymous, sandbox):
    sandbox.faults.add(Fault(operation="*", mode="status", status=503, times=None))
    assert keyed(anonymous, {"voucher_no": FIFTY}).status_code == 503
    assert not StoredAnswer.objects.exists()

    sandbox.faults.clear()
    assert keyed(anonymous, {"voucher_no": FIFTY}).status_code == 200


def test_nobody_can_fill_the_table_with_refusals(
    anonymous, sandbox, configure, time_machine_now
):
    configure(THROTTLES={"BALANCE_PER_MINUTE": 3})
    for number in range(3):
        assert keyed(anonymous, b"{", key=f"key-{number}").status_code == 400

    answer = keyed(anonymous, b"{", key="key-3")

    assert_problem(answer, "throttled", 429)
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert StoredAnswer.objects.count() == 3
    # Whoever needs no key is as free as before, and so is everybody else.
    assert balance(anonymous).status_code == 200
    assert keyed(anonymous, b"{", address="203.0.113.2").status_code == 400
    time_machine_now.shift(61)
    assert keyed(anonymous, b"{", key="key-3").status_code == 400


# -- limits for strangers -----------------------------------------------------


def test_twenty_look_ups_a_minute_for_each_client(anonymous, sandbox, time_machine_now):
    for _allowed in range(20):
        assert balance(anonymous).status_code == 200
    calls = len(sandbox.log())

    answer = balance(anonymous)

    assert_problem(answer, "throttled", 429)
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert len(sandbox.log()) == calls
    assert balance(anonymous, address="203.0.113.2").status_code == 200
    time_machine_now.shift(61)
    assert balance(anonymous).status_code == 200


def test_five_failures_in_ten_minutes_for_each_client(
    anonymous, sandbox, time_machine_now
):
    for number in range(5):
        balance(anonymous, f"GUESS-{number}")
        # A good one in between resets nothing.
        assert balance(anonymous).status_code == (200 if number < 4 else 429)
    calls = len(sandbox.log())

    answer = balance(anonymous)

    assert_problem(answer, "throttled", 429)
    assert 500 < int(answer["Retry-After"]) <= 600
    assert len(sandbox.log()) == calls
    time_machine_now.shift(120)
    assert balance(anonymous).status_code == 429
    time_machine_now.shift(481)
    assert balance(anonymous).status_code == 200


def test_the_limits_are_settings(anonymous, sandbox, configure):
    configure(THROTTLES={"BALANCE_PER_MINUTE": 2})

    assert [balance(anonymous).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address", "client"),
    [
        (None, "198.51.100.7", "203.0.113.1", "203.0.113.1"),
        (0, "198.51.100.7", "203.0.113.1", "203.0.113.1"),
        (1, "198.51.100.7", "10.0.0.1", "198.51.100.7"),
        (1, "6.6.6.6, 198.51.100.7", "10.0.0.1", "198.51.100.7"),
        (2, "6.6.6.6, 198.51.100.7, 10.0.0.2", "10.0.0.1", "198.51.100.7"),
        (2, "198.51.100.7", "10.0.0.1", "198.51.100.7"),
        (1, "", "10.0.0.1", "10.0.0.1"),
        (None, "", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, "", "::ffff:203.0.113.1", "203.0.113.1"),
        (None, "", "", ""),
    ],
)
def test_who_a_client_is(configure, proxies, forwarded, address, client):
    configure(THROTTLES={"NUM_PROXIES": proxies})
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR=address, headers=headers)

    assert client_of(request) == client


def test_inventing_addresses_helps_nobody(anonymous, sandbox):
    for number in range(5):
        balance(anonymous, f"G-{number}", **{"X-Forwarded-For": f"198.51.100.{number}"})

    assert balance(anonymous, **{"X-Forwarded-For": "8.8.8.8"}).status_code == 429


def test_no_address_is_kept(anonymous, sandbox):
    balance(anonymous, address="203.0.113.77")

    assert "203.0.113.77" not in str(list(GuessCounter.objects.values()))


# -- limits for payments ------------------------------------------------------


def test_ten_failures_for_each_payment(customer, opened, sandbox):
    for number in range(10):
        answer = add(customer, f"GUESS-{number}")
        assert_problem(answer, "voucher_not_usable", 422)
    calls = len(sandbox.log())

    answer = add(customer, FIFTY)

    assert_problem(answer, "throttled", 429)
    assert int(answer["Retry-After"]) >= 1
    assert len(sandbox.log()) == calls
    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-1", voucher_no=FIFTY)
    assert refused.value.code == "throttled"


def test_a_held_voucher_is_a_failed_guess(server, customer, sandbox, configure):
    configure(THROTTLES={"SESSION_FAILURES": 2})
    sandbox.hold_by_till(HUNDRED)
    add(open_for(server, "other"), FIFTY)

    assert_problem(add(customer, HUNDRED), "voucher_held", 409)
    assert_problem(add(customer, FIFTY), "voucher_held", 409)

    assert_problem(add(customer, "GOOD-0025-0001"), "throttled", 429)
    assert GuessCounter.objects.get(key="failures").count == 2


def test_vouchers_of_the_payment_are_no_guesses(customer, sandbox):
    add(customer, FIFTY)
    PaymentSession.objects.update(failed_lookups=10)

    assert add(customer, FIFTY).status_code == 200
    assert PaymentSession.objects.get().failed_lookups == 10


def test_a_good_number_resets_nothing(customer, sandbox):
    add(customer, "GUESS")
    assert add(customer, FIFTY).status_code == 201

    assert PaymentSession.objects.get().failed_lookups == 1


def test_an_outage_is_no_failed_guess(customer, sandbox):
    sandbox.faults.add(Fault(operation="*", mode="status", status=503, times=None))

    assert add(customer, FIFTY).status_code == 503

    assert PaymentSession.objects.get().failed_lookups == 0


# -- the limit for all --------------------------------------------------------


def test_a_spent_budget_stops_guessers_and_never_customers(
    anonymous, server, customer, sandbox, time_machine_now
):
    unlucky = open_for(server, "unlucky")
    assert_problem(add(unlucky, "TYPO"), "voucher_not_usable", 422)
    time_machine_now.shift(61)
    spend_the_global_budget(anonymous)
    calls = len(sandbox.log())

    for refused in (balance(anonymous), add(unlucky, HUNDRED)):
        assert_problem(refused, "throttled", 429)
        assert 1 <= int(refused["Retry-After"]) <= 60
    assert len(sandbox.log()) == calls

    assert add(customer, FIFTY).status_code == 201
    # Without a failure anybody may try; with this one, not again.
    assert_problem(add(open_for(server, "new"), "TYPO"), "voucher_not_usable", 422)
    time_machine_now.shift(61)
    assert add(unlucky, HUNDRED).status_code == 201
    assert balance(anonymous).status_code == 200


def test_guesses_from_ever_new_addresses_never_stop_a_customer(
    anonymous, server, sandbox, configure
):
    configure(THROTTLES={"NUM_PROXIES": 1})

    def guess(number):
        address = {"X-Forwarded-For": f"6.6.6.6, 198.51.{number // 250}.{number % 250}"}
        return balance(anonymous, f"GUESS-{number}", "10.0.0.1", **address)

    answers = [guess(number) for number in range(60)]

    assert [answer.status_code for answer in answers] == [422] * 20 + [429] * 40
    for refused in answers[20:]:
        assert_problem(refused, "throttled", 429)
        assert 1 <= int(refused["Retry-After"]) <= 60
    assert len(sandbox.log()) == 20
    # Vouchers of one's own payment, and numbers for the first time, go on.
    for number in range(3):
        customer = open_for(server, f"paying-{number}")
        assert (
            add(customer, f"GOOD-0{(25, 50, 100)[number]:03}-0001").status_code == 201
        )
        path = f"server/payment-sessions/paying-{number}"
        assert server.post(f"{path}/prepare").status_code == 200
        assert server.post(f"{path}/confirm").json()["status"] == "confirmed"


def test_who_is_over_a_limit_is_turned_away_unread(anonymous, sandbox, configure):
    configure(THROTTLES={"BALANCE_PER_MINUTE": 1})
    assert balance(anonymous).status_code == 200

    answer = anonymous._client.generic(
        "POST", "/smartgift/api/balance", b"{", REMOTE_ADDR="203.0.113.1"
    )

    assert_problem(answer, "throttled", 429)
    assert 1 <= int(answer["Retry-After"]) <= 60


# -- counting -----------------------------------------------------------------


@pytest.mark.django_db
def test_a_refused_look_up_counts_nothing_elsewhere(configure):
    configure(THROTTLES={"GLOBAL_FAILURES_PER_MINUTE": 1})
    with (
        pytest.raises(PaymentError, match="voucher_not_usable"),
        guessing.look_up_by("a"),
    ):
        raise PaymentError("voucher_not_usable")
    with pytest.raises(PaymentError, match="throttled"), guessing.look_up_by("b"):
        raise AssertionError

    own = counters.Counter("balance-failures", 600, "b")
    assert GuessCounter.objects.get(key=own.key).count == 0


@pytest.mark.django_db
def test_many_guesses_at_once_are_not_all_let_through(configure):
    configure(THROTTLES={"BALANCE_FAILURES": 2})
    with (
        guessing.look_up_by("a"),
        guessing.look_up_by("a"),
        pytest.raises(PaymentError, match="throttled"),
        guessing.look_up_by("a"),
    ):
        raise AssertionError
    with guessing.look_up_by("a"):
        pass


@pytest.mark.django_db
def test_windows_that_are_over_are_pruned(time_machine_now):
    counters.count(counters.Counter("x", 60, "me"))
    reconciliation.reconcile()
    assert GuessCounter.objects.exists()

    time_machine_now.shift(61)
    reconciliation.reconcile()

    assert not GuessCounter.objects.exists()


@pytest.mark.django_db
def test_what_was_counted_in_an_old_window_is_not_taken_back(time_machine_now):
    counter = counters.Counter("x", 60)
    old = counters.count(counter)
    time_machine_now.shift(61)
    counters.count(counter, limit=1)

    old.take_back()

    with pytest.raises(counters.Full):
        counters.check(counter, limit=1)


@pytest.mark.django_db
def test_a_window_that_somebody_else_begins_is_joined(monkeypatch):
    counter = counters.Counter("x", 60)
    original = counters._begin

    def begin(*args):
        monkeypatch.setattr(counters, "_begin", original)
        counters.count(counter)
        return original(*args)

    monkeypatch.setattr(counters, "_begin", begin)
    counters.count(counter)

    assert GuessCounter.objects.get().count == 2


# -- and customers --------------------------------------------------------------


def test_what_strangers_look_up_closes_vouchers_for_nobody(
    anonymous, server, sandbox, configure
):
    configure(RATE_LIMIT=1000)
    sandbox.faults.add(
        Fault(
            operation="check", mode="status", status=500, voucher_no=HUNDRED, times=None
        )
    )
    customer = open_for(server, "order-1")

    for number in range(9):
        answer = balance(anonymous, HUNDRED, f"192.0.2.{number}")
        assert answer.status_code == 503

    assert add(customer, FIFTY).status_code == 201

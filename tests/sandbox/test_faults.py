"""Faults on demand, and the vouchers that carry their own."""

import http.client
import json
import time

import pytest

from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.sandbox.faults import MODES


GOOD = "GOOD-0050-0001"
LOST = (http.client.RemoteDisconnected, ConnectionResetError)


def balance(sandbox, number=GOOD):
    return sandbox.voucher(number).balance


def test_lost_before_does_nothing(api, sandbox):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_before"))

    with pytest.raises(LOST):
        api.redeem(GOOD, 10)

    assert balance(sandbox) == 50
    assert api.redeem(GOOD, 10).status == 200


def test_lost_after_has_redeemed(api, sandbox):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after", times=2))

    for left in (40, 30):
        with pytest.raises(LOST):
            api.redeem(GOOD, 10)
        assert balance(sandbox) == left
    assert api.redeem(GOOD, 10).status == 200
    assert sandbox.faults.active() == []


def test_apply_late_is_applied_when_its_time_has_come(api, sandbox):
    fault = Fault(operation="redeem", mode="apply_late", seconds=60)
    sandbox.faults.add(fault)

    with pytest.raises(LOST):
        api.redeem(GOOD, 10)

    assert balance(sandbox) == 50
    sandbox.clock.advance(59)
    assert balance(sandbox) == 50
    sandbox.clock.advance(1)
    assert balance(sandbox) == 40


def test_a_late_redeem_meets_the_hold_as_it_is_then(api, sandbox):
    token = api.token(GOOD)
    sandbox.faults.add(Fault(operation="redeem", mode="apply_late", seconds=301))

    with pytest.raises(LOST):
        api.redeem(GOOD, 10, hold_token=token)
    sandbox.clock.advance(1000)

    # The hold had lapsed a second before: the token was dead.
    assert balance(sandbox) == 50
    lapse = sandbox.ledger(voucher_no=GOOD, event="lapse")
    assert len(lapse) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("applied", [False, True])
def test_a_5xx_is_applied_or_not_as_asked(api, sandbox, status, applied):
    fault = Fault(operation="redeem", mode="status", status=status, applied=applied)
    sandbox.faults.add(fault)

    got = api.redeem(GOOD, 10)

    assert got.status == status
    assert balance(sandbox) == (40 if applied else 50)


@pytest.mark.parametrize("mode", ["html", "garbage", "empty_success"])
@pytest.mark.parametrize("applied", [False, True])
def test_a_spoilt_success_is_applied_or_not_as_asked(api, sandbox, mode, applied):
    sandbox.faults.add(Fault(operation="redeem", mode=mode, applied=applied))

    got = api.redeem(GOOD, 10)

    assert got.status == 200
    assert balance(sandbox) == (40 if applied else 50)
    if mode == "empty_success":
        assert got.json == {}
    else:
        with pytest.raises(ValueError, match=r"Expecting|codec"):
            json.loads(got.text)


def test_half_a_body_is_half_a_body(api, sandbox):
    sandbox.faults.add(Fault(operation="redeem", mode="half_body"))

    with pytest.raises(http.client.IncompleteRead):
        api.redeem(GOOD, 10)

    assert balance(sandbox) == 40


def test_a_dribbling_answer_comes_byte_by_byte(api, sandbox, monkeypatch):
    monkeypatch.setattr("wagtail_smartgift.sandbox.server.DRIBBLE", 0.002)
    sandbox.faults.add(Fault(operation="redeem", mode="dribble"))

    began = time.monotonic()
    got = api.redeem(GOOD, 10)

    assert got.status == 200
    assert time.monotonic() - began > 0.002 * len(got.text)


def test_slow_waits_before_and_slow_after_waits_behind(api, sandbox):
    sandbox.faults.add(Fault(operation="check", mode="slow", seconds=0.2))
    sandbox.faults.add(Fault(operation="redeem", mode="slow_after", seconds=0.2))

    began = time.monotonic()
    assert api.check(GOOD).status == 200
    assert api.redeem(GOOD, 10).status == 200

    assert time.monotonic() - began >= 0.4
    assert balance(sandbox) == 40


def test_refusals_on_demand_change_nothing(api, sandbox):
    sandbox.faults.add(Fault(mode="rate_limited", seconds=30))
    sandbox.faults.add(Fault(mode="unauthorised"))
    sandbox.faults.add(Fault(mode="refused", field="value", message="No."))

    got = api.redeem(GOOD, 10)
    assert (got.status, got.headers["Retry-After"]) == (429, "30")
    assert api.redeem(GOOD, 10).status == 401
    got = api.redeem(GOOD, 10)
    assert got.json == {"message": "No.", "errors": {"value": ["No."]}}
    assert balance(sandbox) == 50


def test_faults_strike_in_order_and_only_where_they_fit(api, sandbox):
    sandbox.faults.add(Fault(operation="hold", mode="refused", message="first"))
    sandbox.faults.add(
        Fault(operation="hold", mode="refused", message="second", voucher_no=GOOD)
    )

    assert api.check(GOOD).status == 200
    assert api.hold("GOOD-0025-0001").json["message"] == "first"
    assert api.hold("GOOD-0025-0001").status == 200
    assert api.hold(GOOD).json["message"] == "second"
    assert api.hold(GOOD).status == 200


def test_chance_comes_from_the_seed(sandbox):
    def draws(seed):
        sandbox.faults.clear()
        fault = Fault(mode="status", probability=0.5, times=None, seed=seed)
        sandbox.faults.add(fault)
        return [sandbox.faults.take("check", None) is not None for _ in range(40)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert 5 < sum(draws(1)) < 35


@pytest.mark.parametrize(
    "values",
    [
        {"operation": "steal"},
        {"mode": "explode"},
        {"times": 0},
        {"times": 1.5},
        {"seconds": -1},
        {"status": 200},
        {"probability": 2},
        {"seed": "x"},
        {"mode": "lost_before", "applied": True},
        {"mode": "refused", "message": ""},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(values):
    with pytest.raises(ValueError, match=r"\w"):
        Fault(**values)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_leaves_the_server_standing(api, sandbox, monkeypatch, mode):
    monkeypatch.setattr("wagtail_smartgift.sandbox.server.DRIBBLE", 0.001)
    sandbox.faults.add(Fault(operation="release", mode=mode, seconds=0))

    try:
        api.release(GOOD, "x")
    except (*LOST, http.client.IncompleteRead):
        assert mode in ("lost_before", "lost_after", "apply_late", "half_body")

    assert api.get("/payment-methods").status == 200

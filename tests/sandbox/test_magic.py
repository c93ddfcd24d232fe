"""Every magic voucher does what the table says."""

import http.client
import json
import re
from pathlib import Path

import pytest

from wagtail_smartgift.sandbox.magic import VOUCHERS


DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"
LOST = (http.client.RemoteDisconnected, ConnectionResetError)


def test_numbers_are_distinct_and_documented():
    numbers = [one.number for one in VOUCHERS]
    page = DOCS.read_text(encoding="utf-8")

    assert len(set(numbers)) == len(numbers)
    table = page.partition("## Vouchers to try")[2].partition("\n\n`QUAY")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == numbers
    for one in VOUCHERS:
        assert f"| `{one.number}` | {one.shows} |" in page


@pytest.mark.parametrize(
    "number",
    [
        one.number
        for one in VOUCHERS
        if one.role is None and one.balance and not one.more
    ],
)
def test_a_good_voucher_is_good(api, number):
    got = api.check(number)

    assert got.status == 200
    assert got.json["data"]["voucher_no"] == number


@pytest.mark.parametrize(
    "number", ["EXPIRED-0025-0001", "CANCELLED-0025-0001", "QUAY-0050-0001"]
)
def test_a_bad_voucher_is_refused_by_every_call(api, number):
    assert api.check(number).status == 422
    assert api.hold(number).status == 422
    assert api.redeem(number, 1).status == 422


def test_an_empty_voucher_is_sold_out_and_not_held(api):
    data = api.check("EMPTY-0000-0001").json["data"]

    assert (data["remaining_value"], data["sold_out"]) == (0, True)
    assert api.hold("EMPTY-0000-0001").status == 422


def test_a_till_never_lets_go_of_this_one(api, sandbox):
    number = "HELD-0050-0001"
    for _ in range(3):
        assert api.hold(number).json["message"] == "Voucher is already held"
        assert api.check(number).json["data"]["held_until"] is not None
        assert api.redeem(number, 1).status == 422
        sandbox.clock.advance(301)


def test_a_till_takes_this_one_when_it_is_touched(api, sandbox):
    number = "TILL-0050-0001"
    assert sandbox.voucher(number).hold is None

    assert api.hold(number).json["message"] == "Voucher is already held"
    sandbox.clock.advance(301)

    assert api.check(number).json["data"]["held_until"] is None
    assert api.hold(number).status == 200


def test_this_one_expires_when_it_is_redeemed(api, sandbox):
    number = "EXPIRES-0050-0001"
    assert api.check(number).status == 200
    token = api.token(number)

    assert api.redeem(number, 10, hold_token=token).status == 422
    assert api.check(number).status == 422
    assert sandbox.voucher(number).balance == 50


def test_this_one_is_spent_by_a_till_when_it_is_redeemed(api, sandbox):
    number = "GONE-0050-0001"
    token = api.token(number)

    got = api.redeem(number, 10, hold_token=token)

    assert list(got.errors) == ["value"]
    assert sandbox.voucher(number).balance == 1
    assert sandbox.ledger(voucher_no=number, event="redeem")[0].by == "till"


def test_the_answer_of_this_redeem_is_lost_but_a_refusal_is_heard(api, sandbox):
    number = "LOST-0050-0001"
    with pytest.raises(LOST):
        api.redeem(number, 50)

    assert sandbox.voucher(number).balance == 0
    assert list(api.redeem(number, 50).errors) == ["value"]


def test_every_second_redeem_of_this_one_arrives(api, sandbox):
    number = "DROP-0050-0001"
    with pytest.raises(LOST):
        api.redeem(number, 10)
    assert sandbox.voucher(number).balance == 50
    assert api.redeem(number, 10).status == 200


def test_the_token_of_this_hold_is_lost(api):
    number = "HOLDLOST-0050-0001"
    with pytest.raises(LOST):
        api.hold(number)

    assert api.hold(number).json["message"] == "Voucher is already held"


def test_the_answer_of_this_reversal_is_lost(api, sandbox):
    number = "UNDOLOST-0050-0001"
    ids = api.ids(number, 20)
    with pytest.raises(LOST):
        api.reverse(number, ids)

    assert sandbox.voucher(number).balance == 50
    assert list(api.reverse(number, ids).errors) == ["redemptions"]


def test_this_one_is_always_a_500(api):
    assert {api.check("ERROR-0050-0001").status for _ in range(3)} == {500}
    assert api.hold("ERROR-0050-0001").status == 500


def test_this_redeem_answers_garbage(api, sandbox):
    got = api.redeem("GARBAGE-0050-0001", 10)

    assert got.status == 200
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        json.loads(got.text)
    assert sandbox.voucher("GARBAGE-0050-0001").balance == 40


def test_this_one_leaks_a_float(api):
    assert b'"remaining_value": 96.19999999999999,' in api.check("FLOAT-0096-0001").text


def test_reset_renews_them(api, sandbox):
    api.redeem("GOOD-0050-0001", 50)
    api.hold("TILL-0050-0001")
    with pytest.raises(LOST):
        api.redeem("DROP-0050-0001", 10)

    sandbox.reset()

    assert sandbox.voucher("GOOD-0050-0001").balance == 50
    assert sandbox.voucher("TILL-0050-0001").hold is None
    with pytest.raises(LOST):
        api.redeem("DROP-0050-0001", 10)

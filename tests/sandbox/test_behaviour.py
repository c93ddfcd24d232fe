"""The switches for what the documentation leaves open: each changes what it says."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from wagtail_smartgift.sandbox import Behaviour


DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"
GOOD = "GOOD-0050-0001"
MONEY = {"id": 37, "price": 25}


@pytest.fixture
def behave(sandbox):
    def change(**values):
        sandbox.behaviour.update(values)

    return change


def test_every_switch_is_documented():
    page = DOCS.read_text(encoding="utf-8")

    for spec in fields(Behaviour):
        assert spec.metadata["help"]
        assert re.search(rf"^\| `{spec.name}` \|", page, re.MULTILINE), spec.name


@pytest.mark.parametrize(
    "values",
    [
        {"no_such": True},
        {"redeem_ends_hold": "yes"},
        {"redeem_ends_hold": 1},
        {"held_until": "tomorrow"},
        {"rate_limit": 1.5},
        {"rate_limit": -1},
        {"rate_limit": True},
        {"hold_seconds": float("inf")},
        {"latency": "1"},
    ],
)
def test_a_value_that_does_not_fit_changes_nothing(values):
    behaviour = Behaviour()

    with pytest.raises(ValueError, match=r"must be|unknown"):
        behaviour.update({"own_codes": "ignore", **values})
    with pytest.raises((ValueError, TypeError)):
        Behaviour(**values)

    assert behaviour == Behaviour()


def test_a_hold_may_survive_its_redeem(api, sandbox, behave):
    behave(redeem_ends_hold=False)
    token = api.token(GOOD)

    api.redeem(GOOD, 10, hold_token=token)

    assert sandbox.voucher(GOOD).hold is not None
    assert api.release(GOOD, token).status == 200


def test_a_held_voucher_may_be_redeemed_without_a_token(api, sandbox, behave):
    behave(redeem_needs_token_while_held=False)
    api.hold(GOOD)

    assert api.redeem(GOOD, 10).status == 200
    assert sandbox.voucher(GOOD).hold is not None


def test_a_wrong_token_may_be_ignored(api, behave):
    behave(wrong_token_refused=False)
    api.hold(GOOD)

    assert api.redeem(GOOD, 10, hold_token="hold_token_wrong").status == 200


def test_a_dead_token_may_be_accepted(api, behave):
    behave(dead_token_accepted=True)

    assert api.redeem(GOOD, 10, hold_token="hold_token_dead").status == 200


def test_a_second_hold_may_take_the_place_of_the_first(api, sandbox, behave):
    behave(second_hold="take_over")
    first = api.token(GOOD)

    second = api.token(GOOD)

    assert sandbox.voucher(GOOD).hold.token == second != first
    assert api.release(GOOD, first).status == 422
    assert api.release(GOOD, second).status == 200


def test_a_held_voucher_may_not_be_checkable(api, behave):
    behave(check_while_held=False)
    assert api.check(GOOD).status == 200
    api.hold(GOOD)

    assert api.check(GOOD).errors == {"voucher_no": ["Voucher is already held"]}


def test_an_empty_voucher_may_be_held_and_refused_by_check(api, behave):
    behave(hold_spent_vouchers=True, spent_check="refuse")

    assert api.hold("EMPTY-0000-0001").status == 200
    assert api.check("EMPTY-0000-0001").status == 422


def test_a_held_voucher_may_not_be_reversible(api, sandbox, behave):
    behave(reverse_while_held=False)
    ids = api.ids(GOOD, 10)
    api.hold(GOOD)

    assert api.reverse(GOOD, ids).errors == {"voucher_no": ["Voucher is already held"]}
    assert sandbox.voucher(GOOD).balance == 40


@pytest.mark.parametrize(
    ("style", "pattern"),
    [
        ("utc", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
        ("offset", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00"),
        ("naive", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("naive_local", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    ],
)
def test_the_end_of_a_hold_is_printed_in_any_style(api, behave, style, pattern):
    behave(held_until=style)
    api.hold(GOOD)

    assert re.fullmatch(pattern, api.check(GOOD).json["data"]["held_until"])


def test_older_docs_have_other_fields(api, behave):
    behave(docs_version="V1")

    data = api.check(GOOD).json["data"]
    assert not {"held_until", "available_to_redeem"} & set(data)
    row = api.get("/vouchers").json["data"][0]
    assert row["expiry"] == 2
    assert not {"status", "persons_min", "persons_max", "available_count"} & set(row)


def test_money_is_printed_in_any_style(api, behave):
    behave(money_as="string", available_to_redeem="object")
    data = api.check(GOOD).json["data"]
    assert data["remaining_value"] == "50.00"
    assert data["available_to_redeem"]["value"] == "50.00"

    behave(money_as="number", leak_floats=True, available_to_redeem="absent")
    api.redeem(GOOD, 3.8)
    data = api.check(GOOD).json["data"]
    assert data["remaining_value"] == 46.199999999999996
    assert "available_to_redeem" not in data


def test_a_second_reversal_may_be_accepted_and_gives_nothing(api, sandbox, behave):
    behave(reverse_twice="accept")
    ids = api.ids(GOOD, 10)

    assert api.reverse(GOOD, ids).status == api.reverse(GOOD, ids).status == 200
    assert sandbox.voucher(GOOD).balance == 50
    assert len(sandbox.ledger(voucher_no=GOOD, event="reverse")) == 1


def test_unified_may_go_over_the_value_or_find_nothing(api, behave):
    behave(unified_over_value=True)
    body = {"voucher_no": "TEA-0002-0001", "site_id": "1", "value": 10}
    assert api.post("/redeem-unified", **body).json["data"]["value"] == 25

    behave(unified_over_value=False, unified_no_match="zero")
    data = api.post("/redeem-unified", **body).json["data"]
    assert (data["value"], data["redemptions"]) == (0, [])


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("documented", "The given data was invalid."),
        ("first", "There is not enough balance"),
        ("generic", "The given data was invalid."),
    ],
)
def test_the_summary_of_a_refusal_comes_in_any_style(api, behave, style, message):
    behave(error_summary=style)

    assert api.redeem(GOOD, 99).json["message"].startswith(message)


def test_a_reference_may_make_a_second_order(api, sandbox, behave):
    behave(duplicate_reference="rename")

    assert api.sell(MONEY).json["data"]["order_id"] == "1-r-1"
    assert api.sell(MONEY).json["data"]["order_id"] == "1-r-1-2"
    assert len(sandbox.sales()) == 2


def test_a_reference_may_be_answered_again(api, sandbox, behave):
    behave(duplicate_reference="repeat")

    assert api.sell(MONEY).json == api.sell(MONEY).json
    assert len(sandbox.sales()) == 1


def test_a_second_order_may_be_answered_with_the_number_of_the_first(
    api, sandbox, behave
):
    behave(duplicate_reference="echo", sales_echo_codes=True)

    first = api.sell(MONEY).json["data"]
    second = api.sell(MONEY).json["data"]

    assert first["order_id"] == second["order_id"] == "1-r-1"
    assert first["vouchers"] != second["vouchers"]
    assert [sale.order_id for sale in sandbox.sales()] == ["1-r-1", "1-r-1-2"]


def test_own_codes_may_be_ignored_or_refused(api, sandbox, behave):
    item = {**MONEY, "code": "MINE"}
    behave(own_codes="ignore")
    assert api.sell(item).status == 200
    assert api.check("MINE").status == 422

    behave(own_codes="refuse")
    got = api.sell(item, reference="r-2")
    assert got.errors == {"items.0.code": ["The items.0.code field is prohibited."]}
    assert len(sandbox.sales()) == 1


def test_a_code_that_is_taken_may_be_replaced(api, sandbox, behave):
    item = {**MONEY, "code": "MINE"}
    assert api.sell(item).status == 200
    assert api.sell(item, reference="r-2").errors == {
        "items.0.code": ["The items.0.code has already been taken."]
    }

    behave(duplicate_code="replace")
    assert api.sell(item, reference="r-2").status == 200

    first, second = sandbox.sales()
    assert first.vouchers == ["MINE"] != second.vouchers


def test_a_new_code_may_be_unknown_for_a_minute(api, sandbox, behave):
    behave(new_code_checkable_at_once=False)
    api.sell({**MONEY, "code": "LATER"})

    assert api.check("LATER").status == 422
    sandbox.clock.advance(60)
    assert api.check("LATER").status == 200


def test_a_sales_answer_comes_in_any_shape(api, behave):
    behave(order_id_place="top", sale_status="201", sales_echo_codes=True)
    got = api.sell({**MONEY, "code": "MINE"})
    assert (got.status, got.json["order_id"]) == (201, "1-r-1")
    assert got.json["vouchers"][0]["code"] == "MINE"

    behave(order_id_place="absent")
    assert "order_id" not in api.sell(MONEY, reference="r-2").json["data"]


def test_customers_and_statuses_may_be_judged_otherwise(api, behave):
    behave(strict_customer=True, enforce_status=False)

    got = api.sell({"id": 45})

    assert list(got.errors) == ["customer.county", "customer.phone"]


@pytest.mark.parametrize("status", ["401", "403", "422"])
def test_a_bad_key_has_any_status(api, behave, status):
    behave(unauthorised_status=status)

    got = api.get("/vouchers", {"Accept": "application/json"})

    assert got.status == int(status)


def test_the_limit_may_spare_refusals_and_show_its_end(api, sandbox, behave):
    behave(rate_limit=5, rate_window=30, refusals_count=False, reset_header_always=True)

    api.hold("NO-SUCH")
    got = api.get("/vouchers")

    assert got.headers["X-RateLimit-Remaining"] == "4"
    assert int(got.headers["X-RateLimit-Reset"]) == int(sandbox.clock.now()) + 30

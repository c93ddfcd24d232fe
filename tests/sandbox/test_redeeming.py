"""Check, hold, release, redeem, redeem-unified, reverse: the documented answers."""

from decimal import Decimal

import pytest

from wagtail_smartgift.sandbox import Experience


GOOD = "GOOD-0050-0001"
TEA = "TEA-0002-0001"
INVALID = "Sorry, that voucher number is invalid."
TOO_LITTLE = (
    "There is not enough balance on this voucher to redeem or the selected "
    "experiences have already been used."
)


def test_check_answers_a_monetary_voucher_as_documented(api):
    got = api.check(GOOD)

    assert got.status == 200
    assert got.json == {
        "data": {
            "id": got.json["data"]["id"],
            "name": "The Old Mill gift voucher",
            "description": "",
            "voucher_no": GOOD,
            "remaining_value": 50,
            "available_to_redeem": 50,
            "type": "monetary",
            "sold_out": False,
            "experiences": [],
            "held_until": None,
        }
    }


def test_check_answers_an_experience_voucher_in_bits(api):
    data = api.check(TEA).json["data"]

    assert data["type"] == "experience"
    assert data["remaining_value"] == data["available_to_redeem"] == 10
    assert [one["bit_value"] for one in data["experiences"]] == [2, 8]


def test_check_lists_only_what_this_site_may_redeem(api):
    data = api.check("MIXED-0003-0001").json["data"]

    assert data["remaining_value"] == 7
    assert data["available_to_redeem"] == 2
    assert [one["bit_value"] for one in data["experiences"]] == [2]


def test_an_experience_voucher_with_nothing_for_this_site_is_a_422(api):
    assert api.check("SPA-0002-0001", "1").status == 422
    assert api.redeem("SPA-0002-0001", 1, "1").status == 422
    assert api.check("SPA-0002-0001", "2").status == 200


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/redeem/check", {"site_id": "1"}),
        ("/redeem", {"site_id": "1", "value": 1}),
        ("/redeem-unified", {"site_id": "1", "value": 1}),
        ("/redeem/hold", {}),
        ("/redeem/release", {"hold_token": "x"}),
        ("/redeem/reverse", {"site_id": "1", "redemptions": [1]}),
    ],
)
def test_an_unknown_number_is_refused_to_the_letter(api, sandbox, path, more):
    before = len(sandbox.ledger())

    got = api.post(path, voucher_no="NO-SUCH", **more)

    assert got.status == 422
    assert got.json == {"message": INVALID, "errors": {"voucher_no": [INVALID]}}
    assert len(sandbox.ledger()) == before


@pytest.mark.parametrize("path", ["/redeem/check", "/redeem", "/redeem/reverse"])
def test_an_unknown_site_is_refused_to_the_letter(api, path):
    got = api.post(path, voucher_no=GOOD, site_id="77", value=1, redemptions=[1])

    assert got.errors == {"site_id": ["This site number is invalid"]}


def test_missing_fields_are_all_named_and_counted(api):
    got = api.post("/redeem")

    assert (
        got.json["message"] == "The voucher no field is required. (and 2 more errors)"
    )
    assert list(got.errors) == ["voucher_no", "site_id", "value"]


def test_a_hold_answers_at_the_top_level_and_shows_in_check(api, sandbox):
    got = api.hold(GOOD)

    assert got.json["message"] == "Voucher hold successful"
    assert got.json["hold_token"].startswith("hold_token_")
    assert len(got.json["hold_token"]) == len("hold_token_") + 24
    assert api.check(GOOD).json["data"]["held_until"].endswith("Z")
    assert api.hold(GOOD).json == {
        "message": "Voucher is already held",
        "errors": {"voucher_no": ["Voucher is already held"]},
    }


def test_a_hold_lapses_after_five_minutes_and_not_before(api, sandbox):
    api.hold(GOOD)

    sandbox.clock.advance(299)
    assert api.hold(GOOD).status == 422
    sandbox.clock.advance(1)
    assert api.check(GOOD).json["data"]["held_until"] is None
    assert api.hold(GOOD).status == 200
    events = [e.event for e in sandbox.ledger(voucher_no=GOOD)]
    assert events == ["issue", "hold", "lapse", "hold"]


def test_release_needs_the_token_of_this_hold(api, sandbox):
    token = api.token(GOOD)

    wrong = api.release(GOOD, "hold_token_wrong")
    assert wrong.status == 422
    assert list(wrong.errors) == ["hold_token"]
    assert sandbox.voucher(GOOD).hold is not None
    assert api.release(GOOD, token).json == {"message": "Voucher hold released"}
    assert api.release(GOOD, token).json == {
        "message": "Voucher is not held",
        "errors": {"hold_token": ["Voucher is not held"]},
    }


def test_redeem_takes_money_under_the_hold_and_ends_it(api, sandbox):
    token = api.token(GOOD)

    got = api.redeem(GOOD, 10.55, hold_token=token)

    assert got.json["data"]["message"] == "The voucher has been redeemed."
    assert len(got.json["data"]["redemptions"]) == 1
    assert sandbox.voucher(GOOD).balance == Decimal("39.45")
    assert sandbox.voucher(GOOD).hold is None


@pytest.mark.parametrize("token", [None, "hold_token_wrong"])
def test_a_held_voucher_is_not_redeemed_without_its_token(api, sandbox, token):
    api.hold(GOOD)

    got = api.redeem(GOOD, 10, **({} if token is None else {"hold_token": token}))

    assert got.errors == {"voucher_no": ["Voucher is already held"]}
    assert sandbox.voucher(GOOD).balance == 50


def test_a_dead_token_redeems_nothing(api, sandbox):
    token = api.token(GOOD)
    api.release(GOOD, token)

    got = api.redeem(GOOD, 10, hold_token=token)

    assert got.status == 422
    assert sandbox.voucher(GOOD).balance == 50


def test_more_than_the_balance_is_refused_and_takes_nothing(api, sandbox):
    got = api.redeem(GOOD, 50.01)

    assert got.json == {
        "message": "The given data was invalid.",
        "errors": {"value": [TOO_LITTLE]},
    }
    assert sandbox.voucher(GOOD).balance == 50
    assert api.redeem(GOOD, 50).status == 200
    assert api.check(GOOD).json["data"]["sold_out"] is True


@pytest.mark.parametrize("value", [0, -1, "ten", 1.001, True, [], 1e12])
def test_a_value_that_is_no_money_is_refused(api, sandbox, value):
    got = api.redeem(GOOD, value)

    assert got.status == 422
    assert list(got.errors) == ["value"]
    assert sandbox.voucher(GOOD).balance == 50


def test_experiences_are_chosen_by_their_bits_and_used_once(api, sandbox):
    got = api.redeem(TEA, 10)

    assert len(got.json["data"]["redemptions"]) == 2
    assert sandbox.voucher(TEA).remaining_bits == 0
    assert api.redeem(TEA, 2).errors == {"value": [TOO_LITTLE]}


@pytest.mark.parametrize("value", [1, 4, 11, 2.5])
def test_bits_that_the_voucher_has_not_got_are_refused(api, sandbox, value):
    assert api.redeem(TEA, value).errors == {"value": [TOO_LITTLE]}
    assert sandbox.voucher(TEA).remaining_bits == 10


def test_a_used_experience_is_gone_and_the_other_is_left(api):
    assert api.check("TEA-0002-0003").json["data"]["remaining_value"] == 8
    assert api.redeem("TEA-0002-0003", 2).status == 422
    assert api.redeem("TEA-0002-0003", 8).status == 200


def test_reverse_gives_back_in_full_and_only_once(api, sandbox):
    ids = api.ids(GOOD, 20)

    assert api.reverse(GOOD, ids).json == {"message": "Redemption reversal complete"}
    assert sandbox.voucher(GOOD).balance == 50
    assert api.reverse(GOOD, ids).json == {
        "message": "The given data was invalid.",
        "errors": {
            "redemptions": ["Please provide a valid list of redemptions to reverse"]
        },
    }
    assert sandbox.voucher(GOOD).balance == 50


def test_experiences_are_reversed_one_by_one(api, sandbox):
    tea, walk = api.ids(TEA, 10)

    api.reverse(TEA, [walk])

    assert sandbox.voucher(TEA).remaining_bits == 8
    api.reverse(TEA, [str(tea)])
    assert sandbox.voucher(TEA).remaining_bits == 10


def test_a_list_with_one_foreign_id_reverses_nothing(api, sandbox):
    mine, other = api.ids(GOOD, 20), api.ids("GOOD-0050-0002", 20)

    got = api.reverse(GOOD, mine + other)

    assert list(got.errors) == ["redemptions"]
    assert sandbox.voucher(GOOD).balance == 30


@pytest.mark.parametrize("ids", [[], "1001", [None], [True], [999], None])
def test_ids_that_are_none_are_refused(api, ids):
    assert list(api.reverse(GOOD, ids).errors) == ["redemptions"]


def test_unified_takes_up_to_the_value_of_a_monetary_voucher(api, sandbox):
    got = api.post("/redeem-unified", voucher_no=GOOD, site_id="1", value=80)

    assert got.json["data"]["value"] == 50
    assert sandbox.voucher(GOOD).balance == 0


def test_unified_chooses_the_experiences_that_fit_best(api, sandbox):
    number = sandbox.add_voucher(
        experiences=[
            Experience(1, "Tea", worth=3000),
            Experience(2, "Dinner", worth=7000),
            Experience(4, "Walk", worth=2500),
        ]
    ).number

    body = {"voucher_no": number, "site_id": "1", "value": 60}
    got = api.post("/redeem-unified", **body)

    assert got.json["data"]["value"] == 55
    assert len(got.json["data"]["redemptions"]) == 2
    assert sandbox.voucher(number).remaining_bits == 2
    assert api.post("/redeem-unified", **body).status == 422


def test_classifications_choose_among_experiences(api):
    filters = {"classifications": ["events", "spa"]}
    data = api.check(TEA, filters=filters).json["data"]

    assert [one["bit_value"] for one in data["experiences"]] == [8]
    assert data["remaining_value"] == 10
    spa_only = {"classifications": ["spa"]}
    assert api.check(TEA, filters=spa_only).status == 422
    assert api.check(GOOD, filters=spa_only).status == 200


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        (("used_in", "equals", "hotel"), True),
        (("used_in", "equals", "Hotel"), False),
        (("used_in", "in", ["hotel", "bar"]), True),
        (("used_in", "in", ["bar"]), False),
        (("areas", "contains", "bar"), True),
        (("areas", "contains", "spa"), False),
        (("missing", "equals", "hotel"), False),
    ],
)
def test_a_meta_condition_passes_or_fails_the_whole_voucher(api, condition, passes):
    key, operator, value = condition
    filters = {"meta_conditions": [{"key": key, "operator": operator, "value": value}]}

    got = api.check("META-0050-0001", filters=filters)

    assert (got.status == 200) is passes


def test_all_meta_conditions_must_hold(api):
    right = {"key": "used_in", "operator": "equals", "value": "hotel"}
    wrong = {"key": "used_in", "operator": "equals", "value": "bar"}

    got = api.check("META-0050-0001", filters={"meta_conditions": [right, wrong]})

    assert got.status == 422


def test_unknown_filters_are_refused_by_their_path(api):
    filters = {
        "classifications": ["food_and_beverage", "golf"],
        "meta_conditions": [{"key": "a", "operator": "like", "value": "b"}],
    }

    assert list(api.check(GOOD, filters=filters).errors) == [
        "filters.classifications.1",
        "filters.meta_conditions.0.operator",
    ]

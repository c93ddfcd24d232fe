"""Catalogue, payment methods and orders."""

from decimal import Decimal

import pytest


MONEY = {"id": 37, "price": 25}
TEA = {"id": 39, "persons": 2}


def test_the_catalogue_prints_money_as_strings_and_keeps_line_breaks(api):
    rows = {row["id"]: row for row in api.get("/vouchers").json["data"]}

    assert rows[37]["min"] == "10.00"
    assert rows[37]["max"] == "1000.00"
    assert rows[37]["increments"] == "5.00"
    assert rows[37]["value"] is None
    assert "\r\n" in rows[37]["selling_description"]
    assert rows[41]["value"] == "215.00"
    assert rows[41]["min"] is None
    assert rows[43]["available_count"] == 0
    assert {row["status"] for row in rows.values()} == {
        "active",
        "hidden",
        "disabled",
        "at_counter_only",
    }


def test_a_company_sees_its_own_catalogue_only(api):
    rows = api.get(
        "/vouchers",
        {
            "Smart-Auth": "sk_sandbox_quay",
            "Content-Type": "application/json",
            "Accept": "application/json",
        },
    ).json["data"]

    assert [row["id"] for row in rows] == [71]


def test_the_catalogue_changes_with_its_time_of_change(api, sandbox):
    before = api.get("/vouchers").json["data"][0]

    sandbox.change_product(37, title="Another", min=500)

    after = api.get("/vouchers").json["data"][0]
    assert (after["title"], after["min"]) == ("Another", "5.00")
    assert after["updated_at"] > before["updated_at"]
    sandbox.remove_product(37)
    assert 37 not in [row["id"] for row in api.get("/vouchers").json["data"]]


def test_pictures_are_real(api):
    url = api.get("/vouchers").json["data"][0]["image"]

    got = api.get(url[url.index("/_sandbox") :])

    assert got.headers["Content-Type"] == "image/png"
    assert got.text.startswith(b"\x89PNG")
    assert len(got.text) < 20_000


def test_payment_methods_have_ids_and_names(api):
    rows = api.get("/payment-methods").json["data"]

    assert {"id": 12, "name": "Credit/Debit Card", "mapping_code": None} in rows


def test_a_sale_makes_vouchers_that_can_be_redeemed_at_once(api, sandbox):
    got = api.sell({**MONEY, "code": "MY-OWN-1"}, TEA)

    assert got.status == 200
    assert got.json["data"]["order_id"] == "1-r-1"
    assert api.check("MY-OWN-1").json["data"]["remaining_value"] == 25
    (order,) = sandbox.sales()
    own, made = order.vouchers
    assert own == "MY-OWN-1"
    # Two persons: worth and price are doubled.
    assert sandbox.voucher(made).experiences[0].worth == 5900
    assert order.total == 2500 + 5900
    assert order.email_sent
    sold = sandbox.ledger(event="sale")
    assert [entry.amount for entry in sold] == [Decimal(25), Decimal(59)]


@pytest.mark.parametrize(
    ("item", "field", "message"),
    [
        ({"id": 37}, "price", "The items.0.price field is required."),
        (
            {"id": 37, "price": 5},
            "price",
            "The items.0.price field must be at least 10.",
        ),
        (
            {"id": 37, "price": 1005},
            "price",
            "The items.0.price field must not be greater than 1000.",
        ),
        (
            {"id": 37, "price": 12},
            "price",
            "The items.0.price field must be a multiple of 5.",
        ),
        ({"id": 999, "price": 10}, "id", "The selected items.0.id is invalid."),
        ({"id": 45}, "id", "The selected items.0.id is invalid."),
        ({"id": 71, "price": 10}, "id", "The selected items.0.id is invalid."),
        ({"id": 39}, "persons", "The items.0.persons field must be between 2 and 6."),
        (
            {"id": 39, "persons": 7},
            "persons",
            "The items.0.persons field must be between 2 and 6.",
        ),
        ({"id": 43}, "id", "Sorry, there are not enough of this voucher left."),
        (
            {"id": 37, "price": 10, "code": "GOOD-0050-0001"},
            "code",
            "The items.0.code has already been taken.",
        ),
        (
            {"id": 37, "price": 10, "to": 7},
            "to",
            "The items.0.to field must be a string.",
        ),
    ],
)
def test_a_faulty_item_sells_nothing(api, sandbox, item, field, message):
    got = api.sell(item)

    assert got.status == 422
    assert got.errors == {f"items.0.{field}": [message]}
    assert sandbox.sales() == []
    assert sandbox.ledger(event="sale") == []


def test_an_empty_order_names_all_that_is_missing(api):
    got = api.post("/pos-sale")

    assert list(got.errors) == [
        "reference",
        "items",
        "customer",
        "delivery",
        "payment_method_id",
    ]


def test_a_customer_without_name_or_mail_is_refused(api):
    got = api.sell(MONEY, customer={"email": "nobody", "address1": "x", "city": "y"})

    assert list(got.errors) == [
        "customer.first_name",
        "customer.last_name",
        "customer.email",
        "customer.postcode",
    ]


def test_post_needs_an_address_and_sends_no_mail(api, sandbox):
    posted = {"delivery_method": 2, "price": 3.95}
    assert "delivery.address1" in api.sell(MONEY, delivery=posted).errors
    address = {
        "first_name": "Ada",
        "last_name": "Byron",
        "address1": "1 Mill Lane",
        "city": "Millford",
        "postcode": "MF1 2AB",
    }

    assert api.sell(MONEY, delivery={**posted, **address}).status == 200

    (order,) = sandbox.sales()
    assert order.total == 2895
    assert not order.email_sent


def test_unknown_methods_are_refused(api):
    got = api.sell(
        MONEY, payment_method_id=99, delivery={"delivery_method": 9, "price": 0}
    )

    assert list(got.errors) == ["delivery.delivery_method", "payment_method_id"]


@pytest.mark.parametrize("day", ["yesterday", "2001-01-01", ""])
def test_a_delivery_date_that_is_none_means_at_once(api, sandbox, day):
    api.sell(MONEY, delivery={"delivery_method": 1, "price": 0, "delivery_date": day})

    assert sandbox.sales()[0].send_on is None


def test_stock_goes_down_and_ends(api, sandbox):
    bread = {"id": 42}
    assert api.sell(bread, bread).status == 200
    assert sandbox.product(42).available_count == 1

    got = api.sell(bread, bread, reference="r-2")

    assert list(got.errors) == ["items.1.id"]
    assert sandbox.product(42).available_count == 1


def test_a_reference_is_used_once(api, sandbox):
    api.sell(MONEY)

    got = api.sell(MONEY)

    assert got.errors == {"reference": ["The reference has already been taken."]}
    assert len(sandbox.sales()) == 1


def test_two_items_may_not_share_a_code(api, sandbox):
    item = {**MONEY, "code": "TWICE"}

    assert list(api.sell(item, item).errors) == ["items.1.code"]
    assert sandbox.sales() == []


def test_sale_wants_totals_that_add_up(api):
    delivery = {"delivery_method": 1, "price": 2}

    def sell(**totals):
        return api.sell(MONEY, path="/sale", delivery=delivery, totals=totals)

    assert list(sell().errors) == ["totals"]
    assert list(sell(subtotal=24, total=27).errors) == ["totals.subtotal"]
    assert list(sell(subtotal=25, total=25).errors) == ["totals.total"]
    assert sell(subtotal=25, total=27).status == 200


def test_counter_products_are_for_pos_sale_only(api):
    counter = {"id": 46, "price": 7}

    got = api.sell(counter, path="/sale", totals={"subtotal": 7, "total": 7})

    assert got.errors["items.0.id"] == ["The selected items.0.id is invalid."]
    assert api.sell(counter).status == 200

import contextlib
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client.conftest import sample
from wagtail_smartgift.client import (
    Filters,
    MetaCondition,
    SaleAddress,
    SaleCustomer,
    SaleDelivery,
    SaleItem,
    SaleRequest,
)
from wagtail_smartgift.client.schemas.reading import (
    read_catalogue,
    read_catalogue_news,
    read_check,
    read_done,
    read_errors,
    read_hold,
    read_payment_methods,
    read_redeem,
    read_sale,
    read_unified,
)
from wagtail_smartgift.client.schemas.writing import write_check, write_sale


UTC = dt.timezone.utc


def make_product(**changes):
    return sample("catalogue_v1")["data"][0] | changes


def make_check(**changes):
    return sample("check_monetary")["data"] | changes


# --- The catalogue ----------------------------------------------------------------------


def test_the_documented_monetary_product_is_read():
    (product,) = read_catalogue(sample("catalogue_v1"))
    assert product.id == 37
    assert product.title == "Monetary Gift Voucher"
    assert product.selling_description.endswith("24 months after purchase.")
    assert product.type == "monetary"
    assert product.status == ""
    assert product.value is None
    assert (product.min, product.max, product.increments) == (
        Decimal("10.00"),
        Decimal("1000.00"),
        Decimal("5.00"),
    )
    assert product.expiry == 2
    assert product.available_count is None
    assert product.created_at == dt.datetime(2020, 10, 25, 15, 58, 30, tzinfo=UTC)


def test_the_documented_experience_is_read():
    (product,) = read_catalogue(sample("catalogue_v2"))
    assert (product.type, product.status) == ("experience", "at_counter_only")
    assert product.value == Decimal("215.00")
    assert (product.persons_min, product.persons_max) == (1, 2)
    assert product.available_count == 12
    assert product.expiry is None


def test_a_catalogue_is_read_with_and_without_envelope():
    assert read_catalogue([make_product()]) == read_catalogue(sample("catalogue_v1"))
    assert read_catalogue({"data": []}) == read_catalogue([]) == []


def test_a_list_that_php_filtered_is_still_a_list():
    body = {"data": {"0": make_product(), "2": make_product(id=38)}}
    assert [product.id for product in read_catalogue(body)] == [37, 38]


def test_keys_and_words_that_nobody_has_heard_of_are_no_fault():
    (product,) = read_catalogue(
        [make_product(status="on_the_moon", type="ticket", colour={"a": [1]})]
    )
    assert (product.status, product.type) == ("on_the_moon", "ticket")


@pytest.mark.parametrize(
    ("field", "sent", "read"),
    [
        ("id", "37", 37),
        ("id", Decimal("37.0"), 37),
        ("title", 2026, "2026"),
        ("title", "a\0b\ud800", "ab?"),
        ("min", 10, Decimal("10.00")),
        ("min", Decimal("96.19999999999999"), Decimal("96.20")),
        ("min", "", None),
        ("persons_min", "2", 2),
        ("persons_min", None, None),
        ("available_count", 0, 0),
        ("available_count", -1, -1),
        ("expiry", "two years", None),
        ("status", None, ""),
        ("status", [], ""),
        ("image", None, ""),
        ("image", False, ""),
        ("created_at", "2024-11-27 16:10:50", dt.datetime(2024, 11, 27, 16, 10, 50)),  # noqa: DTZ001 - Smart Gift sent no zone
        ("created_at", "yesterday", None),
        ("created_at", "2024-13-41 00:00:00", None),
        ("created_at", 1611079679, None),
    ],
)  # fmt: skip
def test_what_the_docs_disagree_about_is_read_either_way(field, sent, read):
    (product,) = read_catalogue([make_product(**{field: sent})])
    assert getattr(product, field) == read


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": 0},
        {"id": True},
        {"id": "abc"},
        {"id": 37.5},
        {"title": None},
        {"title": True},
        {"type": ""},
        {"type": None},
        {"min": True},
        {"min": "NaN"},
        {"max": "ten"},
        {"value": -1},
        {"value": 10**300},
        {"increments": []},
        {"persons_min": "two"},
        {"available_count": 1.5},
    ],
)
def test_one_bad_product_fails_the_whole_catalogue(changes):
    with pytest.raises(ValueError, match=r"."):
        read_catalogue({"data": [make_product(id=1), make_product(**changes)]})


@pytest.mark.parametrize(
    "body",
    [
        None, 1, "x", {}, {"data": None}, {"data": {}}, {"data": "x"}, {"message": "ok"},
        {"data": [None]}, {"data": [[]]}, [1],
        {"data": [], "links": {"next": "https://smartgift.test?page=2"}},
    ],
)  # fmt: skip
def test_what_is_no_catalogue_is_never_an_empty_one(body):
    with pytest.raises(ValueError, match=r"."):
        read_catalogue(body)


def test_a_repeated_product_counts_once_and_a_contradiction_fails():
    assert len(read_catalogue([make_product(), make_product()])) == 1
    with pytest.raises(ValueError, match="same id"):
        read_catalogue([make_product(), make_product(title="Another")])


def test_what_is_known_of_a_catalogue_is_not_read_again():
    body = {"data": [make_product(id=1), make_product(id=2)]}
    first = read_catalogue_news(body, {})
    assert list(first.news) == read_catalogue(body)
    known = {digest: number for number, digest in first.digests.items()}

    again = read_catalogue_news(body, known)

    assert again.digests == first.digests
    assert again.news == ()
    changed = {"data": [make_product(id=1), make_product(id=2, title="Another")]}
    (news,) = read_catalogue_news(changed, known).news
    assert (news.id, news.title) == (2, "Another")


@pytest.mark.parametrize("field", ["title", "value", "status", "image", "updated_at"])
def test_a_digest_tells_what_is_read_of_a_product(field):
    one = read_catalogue_news([make_product()], {}).digests

    assert read_catalogue_news([make_product(**{field: "77"})], {}).digests != one
    assert read_catalogue_news([make_product(nothing_of_ours=1)], {}).digests == one


@pytest.mark.parametrize("known", [True, False])
def test_news_of_a_catalogue_are_read_whole_or_not_at_all(known):
    good = make_product(id=1)
    before = read_catalogue_news([good], {}).digests.items()
    seen = {digest: number for number, digest in before} if known else {}

    for bad in ("text", make_product(id=2, title=None), make_product(title="X", id=1)):
        with pytest.raises(ValueError):  # noqa: PT011 - of any kind
            read_catalogue_news([good, bad], seen)
    # The same again, also in other words, is no contradiction.
    same = [good, good, make_product(id="1")]
    assert list(read_catalogue_news(same, seen).digests) == [1]


# --- Payment methods --------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda items: items,
        lambda items: {"data": items},
        lambda items: {"items": items},
        lambda items: {"data": {"payment_methods": items}},
    ],
)
def test_payment_methods_are_found_wherever_they_stand(wrap):
    items = [{"id": 12, "name": "Credit/Debit Card", "mapping_code": None}, {"id": "3"}]
    methods = read_payment_methods(wrap(items))
    assert [(method.id, method.name) for method in methods] == [
        (12, "Credit/Debit Card"),
        (3, ""),
    ]


# --- Check ------------------------------------------------------------------------------


def test_the_documented_check_is_read():
    state = read_check(sample("check_monetary"))
    assert state.id == 11400
    assert state.name == "Sample Monetary Voucher"
    assert state.voucher_no == "XXXXXXXXXX"
    assert state.type == "monetary"
    assert state.remaining_value == Decimal("10.00")
    assert state.available_to_redeem is None
    assert state.sold_out is False
    assert state.experiences == ()
    assert (state.held, state.held_until) == (None, None)


def test_an_experience_has_a_bit_sum_and_not_money():
    state = read_check(
        make_check(
            type="experience",
            remaining_value=10,
            experiences=[{"bit_value": 2, "name": "Tea"}, {"bit_value": "8", "id": 4}],
        )
    )
    assert state.remaining_value == 10
    assert [part.bit_value for part in state.experiences] == [2, 8]
    assert [part.name for part in state.experiences] == ["Tea", ""]
    assert [part.id for part in state.experiences] == [None, 4]


@pytest.mark.parametrize(
    ("sent", "held", "until"),
    [
        (None, False, None),
        ("", False, None),
        ("2026-04-22T10:00:00.000000Z", True, dt.datetime(2026, 4, 22, 10, tzinfo=UTC)),
        ("2026-04-22T11:00:00+01:00", True, dt.datetime(2026, 4, 22, 10, tzinfo=UTC)),
        ("2026-04-22 10:00:00", True, dt.datetime(2026, 4, 22, 10)),  # noqa: DTZ001 - Smart Gift sent no zone
        (1611079679, True, None),
        ("in five minutes", True, None),
        ({"date": "2026-04-22"}, True, None),
    ],
)  # fmt: skip
def test_a_hold_is_seen_even_when_its_end_cannot_be_read(sent, held, until):
    state = read_check(make_check(held_until=sent))
    assert (state.held, state.held_until) == (held, until)
    if until is not None:
        assert (state.held_until.tzinfo is None) == (until.tzinfo is None)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (10, Decimal("10.00")),
        ("10.50", Decimal("10.50")),
        (Decimal("96.19999999999999"), Decimal("96.20")),
        ({"value": "5"}, Decimal("5.00")),
        ({"amount": 7}, Decimal("7.00")),
        ({"food_and_beverage": 7}, None),
        ({}, None),
        (None, None),
        (True, None),
        ("all of it", None),
        ([1], None),
    ],
)
def test_available_to_redeem_is_a_number_a_text_or_an_object(sent, read):
    assert read_check(make_check(available_to_redeem=sent)).available_to_redeem == read


@pytest.mark.parametrize(
    "changes",
    [
        {"remaining_value": None},
        {"remaining_value": True},
        {"remaining_value": "NaN"},
        {"remaining_value": -1},
        {"remaining_value": 10**12},
        {"type": None},
        {"type": ""},
        {"type": 1},
        {"type": "experience", "remaining_value": 10.5},
        {"type": "experience", "remaining_value": -2},
        {"experiences": [{"name": "no bit"}]},
        {"experiences": [{"bit_value": 0}]},
        {"experiences": [{"bit_value": True}]},
        {"experiences": "none"},
    ],
)
def test_a_check_without_type_or_balance_is_not_understood(changes):
    with pytest.raises(ValueError, match=r"."):
        read_check(make_check(**changes))


def test_small_oddities_of_a_check_are_no_fault():
    state = read_check(
        make_check(
            type=" Monetary ",
            name=None,
            sold_out="1",
            experiences={"1": {"bit_value": 4}},
            new_field=1,
        )
    )
    assert state.type == "monetary"
    assert (state.name, state.sold_out) == ("", True)
    assert state.experiences[0].bit_value == 4


# --- Hold, redeem, release, reverse -----------------------------------------------------


def test_a_token_is_found_with_and_without_envelope_and_never_shown():
    token = "hold_token_jY0VMM8zd5GLkk3jDpEjTOLr"
    for body in (sample("hold"), {"data": sample("hold")}):
        receipt = read_hold(body)
        assert receipt.hold_token == token
        assert token not in repr(receipt) + str(receipt)


@pytest.mark.parametrize("token", [None, "", 5, [], True])
def test_a_hold_without_a_token_is_not_understood(token):
    with pytest.raises(ValueError, match="hold_token"):
        read_hold({"message": "Voucher hold successful", "hold_token": token})


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (sample("redeem"), (21, 22, 23)),
        ({"redemptions": [21]}, (21,)),
        ({"data": {"message": "ok"}, "redemptions": [21]}, (21,)),
        ({"data": {"redemptions": ["21", "r_x"]}}, ("21", "r_x")),
        ({"data": {"redemptions": {"0": 21, "3": 22}}}, (21, 22)),
    ],
)
def test_redemption_ids_are_kept_as_they_came(body, ids):
    assert read_redeem(body).redemptions == ids


def test_a_unified_redemption_says_what_it_took_if_it_can():
    assert read_unified({"data": {"redemptions": [1]}}).amount is None
    receipt = read_unified({"redemptions": [1, 2], "amount": "12.50"})
    assert (receipt.redemptions, receipt.amount) == ((1, 2), Decimal("12.50"))
    nothing = read_unified({"redemptions": [], "redeemed_value": 0})
    assert (nothing.redemptions, nothing.amount) == ((), 0)


@pytest.mark.parametrize(
    "body",
    [{}, {"redemptions": []}, {"amount": 5}, {"amount": 0}, {"redemptions": [], "amount": 5}],
)  # fmt: skip
def test_a_unified_redemption_that_hides_what_it_did_is_not_understood(body):
    with pytest.raises(ValueError, match="redemptions"):
        read_unified(body)


def test_a_confirmation_is_an_object_without_errors():
    read_done(sample("release"))
    read_done(sample("reverse"))
    for body in (None, [], "ok", {"message": "x", "errors": {"a": ["b"]}}):
        with pytest.raises(ValueError, match="confirmation"):
            read_done(body)


# --- Sales ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "order_id", "codes"),
    [
        ({"data": {"order_id": 12345}}, "12345", ()),
        ({"order_id": "A-1"}, "A-1", ()),
        ({"data": {"message": "ok"}, "order_id": 7}, "7", ()),
        (
            {
                "data": {
                    "order_id": 7,
                    "items": [{"code": "AAA"}, {"voucher_no": "BBB"}],
                }
            },
            "7",
            ("AAA", "BBB"),
        ),
        ({"data": {"order_id": 7, "vouchers": [{"code": 123}, {}]}}, "7", ("123",)),
        ({"data": {"order_id": 7, "items": [1, None], "vouchers": "x"}}, "7", ()),
    ],
)
def test_a_sale_names_its_order_and_perhaps_the_numbers(body, order_id, codes):
    receipt = read_sale(body)
    assert receipt.order_id == order_id
    assert receipt.codes == codes
    assert not any(code in repr(receipt) for code in codes)


@pytest.mark.parametrize("body", [{}, [], {"data": []}, {"order_id": ""}, {"data": {"order_id": True}}])  # fmt: skip
def test_a_sale_without_an_order_is_not_understood(body):
    with pytest.raises(ValueError, match=r"."):
        read_sale(body)


CUSTOMER = SaleCustomer(
    first_name="John",
    last_name="Smith",
    email="john@smart-gift.example",
    address1="1A Test Street",
    city="Test",
    county="Testings",
    postcode="T35 TER",
)


def test_an_order_is_written_with_all_that_it_has():
    request = SaleRequest(
        reference="r-1",
        items=(
            SaleItem(
                id=37,
                price=Decimal("50.10"),
                to="Jane",
                from_="John",
                message="Thank You!",
                code="OWN1",
            ),
            SaleItem(id=38, persons=2),
        ),
        customer=CUSTOMER,
        delivery=SaleDelivery(
            method="1",
            price=Decimal("3.99"),
            date=dt.date(2027, 5, 20),
            address=SaleAddress(
                first_name="Jane",
                last_name="Smith",
                address1="1A Test Street",
                city="Test",
                postcode="T35 TER",
            ),
        ),
        payment_method_id=12,
    )
    assert write_sale(request) == {
        "reference": "r-1",
        "payment_method_id": 12,
        "items": [
            {
                "id": 37,
                "price": 50.1,
                "to": "Jane",
                "from": "John",
                "message": "Thank You!",
                "code": "OWN1",
            },
            {"id": 38, "persons": 2},
        ],
        "customer": {
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@smart-gift.example",
            "address1": "1A Test Street",
            "city": "Test",
            "county": "Testings",
            "postcode": "T35 TER",
        },
        "delivery": {
            "delivery_method": 1,
            "price": 3.99,
            "delivery_date": "2027-05-20",
            "first_name": "Jane",
            "last_name": "Smith",
            "address1": "1A Test Street",
            "city": "Test",
            "postcode": "T35 TER",
        },
    }


def test_an_order_shows_nobody_and_no_number():
    item = SaleItem(id=37, to="Jane", from_="John", message="Hush", code="OWN1")
    shown = repr(item) + repr(CUSTOMER)
    for hidden in ("Jane", "John", "Hush", "OWN1", "Test Street"):
        assert hidden not in shown


def test_filters_are_written_as_documented():
    filters = Filters(
        classifications=("food_and_beverage",),
        meta_conditions=(
            MetaCondition(key="used_in", operator="in", value=("hotel", "bar")),
            MetaCondition(key="tier", operator="equals", value="gold"),
        ),
    )
    assert write_check("V1", "7", filters) == {
        "voucher_no": "V1",
        "site_id": "7",
        "filters": {
            "classifications": ["food_and_beverage"],
            "meta_conditions": [
                {"key": "used_in", "operator": "in", "value": ["hotel", "bar"]},
                {"key": "tier", "operator": "equals", "value": "gold"},
            ],
        },
    }
    bare = {"voucher_no": "V1", "site_id": "7"}
    assert write_check("V1", "7", Filters()) == write_check("V1", "7", None) == bare


# --- Anything at all --------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["data", "id", "0", "type", "title", "remaining_value", "redemptions"]
                + ["held_until", "experiences", "bit_value", "items", "code", "links"]
                + ["hold_token", "order_id", "vouchers", "errors", "message", "value"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


READERS = (
    read_catalogue,
    read_check,
    read_done,
    read_errors,
    read_hold,
    read_payment_methods,
    read_redeem,
    read_sale,
    read_unified,
)


@given(body=JSON)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_comes_is_read_or_a_value_error(body):
    # Anything else would turn an answer about money into a crash.
    for read in READERS:
        with contextlib.suppress(ValueError):
            read(body)


# --- Errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (None, ("", {})),
        ([], ("", {})),
        ({"message": 5, "errors": "x"}, ("", {})),
        ({"message": "a", "errors": {"f": "b"}}, ("a", {"f": ("b",)})),
        ({"message": "a", "errors": {"f": ["b", 1, "c"]}}, ("a", {"f": ("b", "c")})),
        ({"errors": []}, ("", {})),
    ],
)
def test_errors_are_read_from_whatever_is_there(body, read):
    assert read_errors(body) == read

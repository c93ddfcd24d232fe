"""Each method against a Smart Gift: the bundled sandbox, and the real one if asked.

``SMARTGIFT_LIVE_BASE_URL``, ``…_API_KEY``, ``…_VOUCHER`` and ``…_SITE_ID`` name a test
company on Smart Gift's development host and a monetary voucher of at least a penny.
What is redeemed there is reversed; nothing is sold.
"""

import datetime as dt
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.client.test_schemas import CUSTOMER
from wagtail_smartgift.client import (
    Filters,
    MetaCondition,
    Misrouted,
    OutcomeUnknown,
    RateLimited,
    RefusalReason,
    Refused,
    SaleAddress,
    SaleDelivery,
    SaleItem,
    SaleRequest,
    SmartGiftClient,
    Unauthorised,
)
from wagtail_smartgift.sandbox import Fault, SandboxServer


LIVE = {
    name: os.environ.get(f"SMARTGIFT_LIVE_{name}", "")
    for name in ("BASE_URL", "API_KEY", "VOUCHER", "SITE_ID")
}
PENNY = Decimal("0.01")


class Target(NamedTuple):
    client: SmartGiftClient
    voucher_no: str
    site_id: str
    base_url: str
    api_key: str


@pytest.fixture
def client(sandbox_server: SandboxServer) -> Iterator[SmartGiftClient]:
    with SmartGiftClient(
        base_url=sandbox_server.url, api_key="sk_sandbox", timeout=5.0
    ) as client:
        yield client


@pytest.fixture(
    params=[
        "sandbox",
        pytest.param(
            "live",
            marks=[
                pytest.mark.skipif(
                    not all(LIVE.values()), reason="SMARTGIFT_LIVE_… is not set"
                ),
                pytest.mark.allow_hosts([urlsplit(LIVE["BASE_URL"]).hostname or ""]),
            ],
        ),
    ]
)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    if request.param == "sandbox":
        url = request.getfixturevalue("sandbox_server").url
        client = request.getfixturevalue("client")
        yield Target(client, "GOOD-0025-0001", "1", url, "sk_sandbox")
        return
    with SmartGiftClient(base_url=LIVE["BASE_URL"], api_key=LIVE["API_KEY"]) as client:
        yield Target(
            client,
            LIVE["VOUCHER"],
            LIVE["SITE_ID"],
            LIVE["BASE_URL"],
            LIVE["API_KEY"],
        )


# --- What must hold for every Smart Gift ------------------------------------------------


def test_the_catalogue_is_read(target):
    products = target.client.catalogue(known={}).news
    assert len({product.id for product in products}) == len(products)
    for product in products:
        if product.type == "monetary":
            assert product.min is not None
            assert product.max is not None


def test_the_payment_methods_are_read(target):
    assert all(method.id > 0 for method in target.client.payment_methods())


def test_an_unknown_number_is_refused_alike_everywhere(target):
    client, number = target.client, "NOSUCH-0000-9999"
    for call in (
        lambda: client.check(voucher_no=number, site_id=target.site_id),
        lambda: client.hold(voucher_no=number),
        lambda: client.redeem(voucher_no=number, site_id=target.site_id, value=PENNY),
        lambda: client.release(voucher_no=number, hold_token="hold_token_x"),
        lambda: client.reverse(
            voucher_no=number, site_id=target.site_id, redemptions=[1]
        ),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.reason is RefusalReason.INVALID_VOUCHER
        assert caught.value.status == 422


def test_a_wrong_site_is_refused(target):
    with pytest.raises(Refused) as caught:
        target.client.check(voucher_no=target.voucher_no, site_id="999999")
    assert caught.value.reason is RefusalReason.INVALID_SITE


def test_a_hold_is_taken_seen_and_given_back(target):
    client, number, site_id, *_ = target
    held = client.hold(voucher_no=number)
    try:
        state = client.check(voucher_no=number, site_id=site_id)
        assert state.held in (True, None)
        with pytest.raises(Refused) as caught:
            client.hold(voucher_no=number)
        assert caught.value.reason is RefusalReason.ALREADY_HELD
    finally:
        client.release(voucher_no=number, hold_token=held.hold_token)
    assert not client.check(voucher_no=number, site_id=site_id).held
    with pytest.raises(Refused) as caught:
        client.release(voucher_no=number, hold_token=held.hold_token)
    assert caught.value.reason is RefusalReason.NOT_HELD


def test_a_penny_is_redeemed_under_a_hold_and_reversed(target):
    client, number, site_id, *_ = target
    before = client.check(voucher_no=number, site_id=site_id)
    assert before.type == "monetary"
    held = client.hold(voucher_no=number)
    receipt = client.redeem(
        voucher_no=number, site_id=site_id, value=PENNY, hold_token=held.hold_token
    )
    during = client.check(voucher_no=number, site_id=site_id)
    client.reverse(voucher_no=number, site_id=site_id, redemptions=receipt.redemptions)
    after = client.check(voucher_no=number, site_id=site_id)
    assert len(receipt.redemptions) == 1
    assert during.remaining_value == before.remaining_value - PENNY
    assert after.remaining_value == before.remaining_value


def test_more_than_the_balance_is_refused_and_takes_nothing(target):
    client, number, site_id, *_ = target
    before = client.check(voucher_no=number, site_id=site_id).remaining_value
    with pytest.raises(Refused) as caught:
        client.redeem(voucher_no=number, site_id=site_id, value=before + PENNY)
    assert caught.value.reason is RefusalReason.NOT_ENOUGH_BALANCE
    after = client.check(voucher_no=number, site_id=site_id).remaining_value
    assert after == before


def test_redemptions_that_never_were_cannot_be_reversed(target):
    client, number, site_id, *_ = target
    with pytest.raises(Refused) as caught:
        client.reverse(voucher_no=number, site_id=site_id, redemptions=[999999999])
    assert caught.value.reason is RefusalReason.INVALID_REDEMPTIONS


def test_a_wrong_key_is_the_developers_fault(target):
    with (
        SmartGiftClient(base_url=target.base_url, api_key="sk_wrong") as stranger,
        pytest.raises(Unauthorised),
    ):
        stranger.check(voucher_no=target.voucher_no, site_id=target.site_id)


def test_a_wrong_path_is_the_developers_fault(target):
    base_url = f"{target.base_url}/v9"
    with (
        SmartGiftClient(base_url=base_url, api_key=target.api_key) as lost,
        pytest.raises(Misrouted),
    ):
        lost.payment_methods()


# --- Against the sandbox alone ----------------------------------------------------------


def make_sale(**changes) -> SaleRequest:
    sale = {
        "reference": "r-1",
        "items": (SaleItem(id=37, price=Decimal("25.00"), code="OWN-CODE-0001"),),
        "customer": CUSTOMER,
        "delivery": SaleDelivery(method=1, price=Decimal("0.00")),
        "payment_method_id": 12,
    }
    return SaleRequest(**(sale | changes))


def test_a_sale_is_placed_with_numbers_of_our_own(client, sandbox_server):
    receipt = client.pos_sale(
        make_sale(
            items=(
                SaleItem(id=37, price=Decimal("25.00"), to="Jane", code="OWN-0001"),
                SaleItem(id=39, persons=2, code="OWN-0002"),
            ),
            delivery=SaleDelivery(
                method="2",
                price=Decimal("3.99"),
                date=dt.date(2099, 5, 20),
                address=SaleAddress(
                    first_name="Jane",
                    last_name="Smith",
                    address1="1A Test Street",
                    city="Test",
                    county="Testings",
                    postcode="T35 TER",
                ),
            ),
        )
    )
    (sale,) = sandbox_server.sandbox.sales()
    assert receipt.order_id == sale.order_id
    state = client.check(voucher_no="OWN-0001", site_id="1")
    assert state.remaining_value == Decimal("25.00")


@pytest.mark.parametrize(
    "behaviour",
    [{"order_id_place": "top"}, {"sale_status": "201"}, {"sales_echo_codes": True}],
)
def test_a_sale_is_understood_however_it_is_answered(client, sandbox_server, behaviour):
    sandbox_server.sandbox.behaviour.update(behaviour)
    receipt = client.pos_sale(make_sale())
    assert receipt.order_id
    assert receipt.codes in ((), ("OWN-CODE-0001",))
    assert bool(receipt.codes) == ("sales_echo_codes" in behaviour)


def test_a_sale_without_an_order_id_is_not_known(client, sandbox_server):
    sandbox_server.sandbox.behaviour.update({"order_id_place": "absent"})
    with pytest.raises(OutcomeUnknown):
        client.pos_sale(make_sale())
    assert len(sandbox_server.sandbox.sales()) == 1


@pytest.mark.parametrize(
    ("behaviour", "second", "reason"),
    [
        ({}, {"items": (SaleItem(id=37, price=Decimal(25), code="OTHER-0001"),)},
         RefusalReason.DUPLICATE_REFERENCE),
        ({}, {"reference": "r-2"}, RefusalReason.INVALID_CODE),
        ({"own_codes": "refuse"}, {"reference": "r-2"}, RefusalReason.INVALID_CODE),
        ({}, {"reference": "r-2", "items": (SaleItem(id=37, price=Decimal(7)),),
              "payment_method_id": 999}, RefusalReason.UNKNOWN),
    ],
)  # fmt: skip
def test_a_refused_sale_has_sold_nothing(
    client, sandbox_server, behaviour, second, reason
):
    client.pos_sale(make_sale())
    sandbox_server.sandbox.behaviour.update(behaviour)
    with pytest.raises(Refused) as caught:
        client.pos_sale(make_sale(**second))
    assert caught.value.reason is reason
    assert len(sandbox_server.sandbox.sales()) == 1


def test_experiences_are_redeemed_by_their_bits(client):
    number = "TEA-0002-0001"
    state = client.check(voucher_no=number, site_id="1")
    assert state.type == "experience"
    assert state.remaining_value == 10
    assert [part.bit_value for part in state.experiences] == [2, 8]
    receipt = client.redeem(voucher_no=number, site_id="1", value=Decimal(10))
    assert len(receipt.redemptions) == 2
    with pytest.raises(Refused) as caught:
        client.redeem(voucher_no=number, site_id="1", value=Decimal(2))
    assert caught.value.reason is RefusalReason.NOT_ENOUGH_BALANCE


def test_experiences_of_another_site_are_a_refusal_without_a_known_text(client):
    with pytest.raises(Refused) as caught:
        client.check(voucher_no="SPA-0002-0001", site_id="1")
    assert caught.value.reason is RefusalReason.UNKNOWN
    assert caught.value.message


def test_a_unified_redemption_says_what_it_took(client):
    receipt = client.redeem_unified(
        voucher_no="GOOD-0010-0001", site_id="1", value=Decimal("12.00")
    )
    assert (len(receipt.redemptions), receipt.amount) == (1, Decimal("10.00"))


def test_a_unified_redemption_may_find_nothing(client, sandbox_server):
    sandbox_server.sandbox.behaviour.update({"unified_no_match": "zero"})
    receipt = client.redeem_unified(
        voucher_no="TEA-0002-0001",
        site_id="1",
        value=Decimal("1.00"),
        filters=Filters(classifications=("spa",)),
    )
    assert (receipt.redemptions, receipt.amount) == ((), 0)


def test_filters_reach_smart_gift(client):
    here = MetaCondition(key="used_in", operator="in", value=("hotel", "bar"))
    there = MetaCondition(key="used_in", operator="equals", value="moon")
    number = "META-0050-0001"
    state = client.check(
        voucher_no=number, site_id="1", filters=Filters(meta_conditions=(here,))
    )
    assert state.remaining_value == 50
    with pytest.raises(Refused):
        client.check(
            voucher_no=number, site_id="1", filters=Filters(meta_conditions=(there,))
        )


@pytest.mark.parametrize(
    "behaviour",
    [
        {"docs_version": "V1"},
        {"money_as": "string"},
        {"leak_floats": True},
        {"available_to_redeem": "object"},
        {"available_to_redeem": "absent"},
        *(
            {"held_until": form}
            for form in ("offset", "naive", "naive_local", "absent")
        ),
    ],
    ids=str,
)
def test_a_check_is_understood_however_it_is_printed(client, sandbox_server, behaviour):
    sandbox_server.sandbox.behaviour.update(behaviour)
    number = "FLOAT-0096-0001"
    client.hold(voucher_no=number)
    state = client.check(voucher_no=number, site_id="1")
    assert state.remaining_value == Decimal("96.20")
    hidden = "absent" in behaviour.values() or behaviour.get("docs_version") == "V1"
    assert state.available_to_redeem in (None, Decimal("96.20"))
    if hidden and "available_to_redeem" not in behaviour:
        assert state.held is None
    else:
        assert state.held is True
        naive = str(behaviour.get("held_until", "")).startswith("naive")
        assert (state.held_until.tzinfo is None) is naive


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_both_catalogues_are_understood(client, sandbox_server, version):
    sandbox_server.sandbox.behaviour.update({"docs_version": version})
    product = next(item for item in client.catalogue(known={}).news if item.id == 37)
    assert (product.min, product.max) == (Decimal("10.00"), Decimal("1000.00"))
    assert product.status == ("active" if version == "V2" else "")


@pytest.mark.parametrize("summary", ["documented", "first", "generic"])
def test_refusals_are_understood_however_they_are_summed_up(
    client, sandbox_server, summary
):
    sandbox_server.sandbox.behaviour.update({"error_summary": summary})
    with pytest.raises(Refused) as caught:
        client.redeem(voucher_no="GOOD-0010-0001", site_id="1", value=Decimal(11))
    assert caught.value.reason is RefusalReason.NOT_ENOUGH_BALANCE


@pytest.mark.parametrize("status", ["401", "403", "422"])
def test_a_bad_key_is_noticed_however_it_is_refused(sandbox_server, status):
    sandbox_server.sandbox.behaviour.update({"unauthorised_status": status})
    with (
        SmartGiftClient(base_url=sandbox_server.url, api_key="sk_wrong") as stranger,
        pytest.raises(Unauthorised),
    ):
        stranger.hold(voucher_no="GOOD-0010-0001")


def test_the_quota_is_told_and_ends(client, sandbox_server):
    told = []
    sandbox_server.sandbox.behaviour.update({"rate_limit": 2})
    with SmartGiftClient(
        base_url=sandbox_server.url, api_key="sk_sandbox", observe=told.append
    ) as observed:
        observed.payment_methods()
        observed.payment_methods()
        with pytest.raises(RateLimited) as caught:
            observed.payment_methods()
    assert 1 <= caught.value.retry_after <= 60
    assert [call.rate_limit for call in told] == [2, 2, 2]
    assert [call.rate_remaining for call in told] == [1, 0, 0]


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        (Fault(mode="lost_before", operation="redeem"), False),
        (Fault(mode="lost_after", operation="redeem"), True),
        (Fault(mode="status", operation="redeem", status=502), False),
        (Fault(mode="html", operation="redeem"), False),
        (Fault(mode="garbage", operation="redeem"), True),
        (Fault(mode="half_body", operation="redeem"), True),
        (Fault(mode="empty_success", operation="redeem"), True),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_lost_and_broken_answers_are_unknown_and_never_sent_again(
    client, sandbox_server, fault, applied
):
    sandbox_server.sandbox.faults.add(fault)
    with pytest.raises(OutcomeUnknown):
        client.redeem(voucher_no="GOOD-0025-0001", site_id="1", value=Decimal(5))
    balance = client.check(voucher_no="GOOD-0025-0001", site_id="1").remaining_value
    assert balance == (20 if applied else 25)

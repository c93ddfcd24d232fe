"""The shop while Smart Gift is away: it sells, takes cards, and says what has to wait."""

import pytest

from tests.example.shop import GOOD_CARD
from wagtail_smartgift.sandbox import Fault


@pytest.fixture
def away(shop, sandbox):
    """Nobody answers; the sandbox itself goes on running."""
    sandbox.faults.add(Fault("*", "lost_before", times=None))
    yield
    sandbox.faults.clear()
    close_breaker(shop)


def close_breaker(shop):
    """As after its pause, which is longer than a test should wait."""
    shop.execute("UPDATE wagtail_smartgift_callbudget SET failures = 0")


def open_breaker(visitor, new_voucher):
    for _try in range(3):
        visitor.add_voucher(new_voucher())
        if "cannot be checked" in visitor.text:
            return
    raise AssertionError(visitor.text)


def test_a_card_pays_while_vouchers_are_paused(
    visitor, shop, sandbox, new_voucher, redeemed, away
):
    visitor.order_hamper()

    open_breaker(visitor, new_voucher)

    assert "Gift vouchers cannot be added at the moment" in visitor.text
    assert visitor.page.find(attrs={"name": "voucher_no"}) is None
    visitor.pay(GOOD_CARD)
    assert "Thank you, Jane" in visitor.text


def test_the_field_works_again_when_smart_gift_is_back(
    visitor, shop, sandbox, new_voucher, redeemed, away
):
    number = new_voucher()
    visitor.order_hamper()
    open_breaker(visitor, new_voucher)

    sandbox.faults.clear()
    close_breaker(shop)
    visitor.open(visitor.address.removeprefix(shop.url))
    visitor.add_voucher(number).pay()

    assert "Thank you, Jane" in visitor.text
    assert redeemed(number) == [50]


def test_bought_vouchers_wait_and_the_buyer_is_told(
    visitor, shop, sandbox, new_voucher, away
):
    visitor.order_hamper()
    open_breaker(visitor, new_voucher)
    visitor.press("Cancel this order")

    visitor.open("/gift-vouchers/the-old-mill-gift-voucher/")
    visitor.press("Add to basket", amount="50").order().pay()

    assert "Your gift voucher is being issued" in visitor.text
    assert "there is nothing for you to do" in visitor.text
    assert "pos-sale" not in [line.operation for line in sandbox.log()[-3:]]

    sandbox.faults.clear()
    close_breaker(shop)
    shop.execute(
        "UPDATE wagtail_smartgift_voucherorder SET next_look_at = '2020-01-01'"
    )
    visitor.reload_until("A voucher number is as good as money")

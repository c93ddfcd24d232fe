"""Buying gift vouchers in the example shop, up to Smart Gift's own books."""

from datetime import datetime, timedelta, timezone

import pytest

from tests.example.shop import CUSTOMER
from wagtail_smartgift.sandbox import Fault


MONETARY = "/gift-vouchers/the-old-mill-gift-voucher/"


def sale_of(sandbox, reference):
    return next(sale for sale in sandbox.sales() if sale.reference == reference)


def choose(visitor, amount="50", **wishes):
    visitor.open(MONETARY)
    return visitor.press("Add to basket", amount=amount, **wishes)


def test_a_voucher_is_sold_with_everything_that_was_chosen(visitor, sandbox):
    # given
    day = datetime.now(tz=timezone.utc).date() + timedelta(days=30)
    choose(
        visitor,
        to="Rose",
        sender="Jane",
        message="Happy birthday!\nTea is on me.",
        delivery_method="2",
        delivery_when="later",
        delivery_date=day.isoformat(),
    )

    # when
    visitor.order()
    assert "£53.95" in visitor.text
    visitor.pay()

    # then
    sale = sale_of(sandbox, visitor.reference)
    assert [
        (item["id"], item["price"], item["to"], item["from"], item["message"])
        for item in sale.items
    ] == [(37, 50, "Rose", "Jane", "Happy birthday!\nTea is on me.")]
    assert sale.customer["first_name"] == "Jane"
    assert sale.customer["email"] == "jane@example.org"
    assert sale.customer["postcode"] == "BA1 1AA"
    assert sale.delivery["delivery_method"] == 2
    assert sale.total == 5395
    assert sale.send_on == day.isoformat()


def test_the_buyer_sees_the_number_and_it_is_worth_what_was_paid(visitor, sandbox):
    choose(visitor).order().pay()

    number = visitor.bought_number
    assert sale_of(sandbox, visitor.reference).vouchers == [number]
    assert sandbox.voucher(number).balance == 50


def test_staff_do_not_see_the_number(visitor, shop, sandbox):
    choose(visitor).order().pay()
    address, number = visitor.address, visitor.bought_number
    visitor.http.cookies.clear()
    visitor.open("/account/login/")
    visitor.press("Log in", username="admin", password="admin")

    visitor.open(address.removeprefix(shop.url))

    assert "Your gift voucher is ready" in visitor.text
    assert number not in "".join(str(visitor.page).split())


def test_an_experience_costs_its_price_times_the_persons(visitor, sandbox):
    visitor.open("/gift-vouchers/afternoon-tea/")
    visitor.press("Add to basket", persons="4")
    visitor.order()
    assert "£118.00" in visitor.text

    visitor.pay()

    (item,) = sale_of(sandbox, visitor.reference).items
    assert (item["id"], item["persons"]) == (39, 4)


def test_vouchers_do_not_pay_for_vouchers(visitor, new_voucher, redeemed):
    # given: £50 of vouchers and a hamper of £80
    number = new_voucher("200.00")
    choose(visitor).put_hamper_in_basket().order()

    # when
    visitor.add_voucher(number)
    assert visitor.field("card_amount") == "50.00"
    visitor.pay()

    # then
    assert redeemed(number) == [80]


def test_a_basket_of_vouchers_alone_has_no_voucher_field(visitor):
    choose(visitor).order()

    assert visitor.page.find(attrs={"name": "voucher_no"}) is None


def test_an_unpaid_voucher_is_not_sold(visitor, sandbox):
    before = len(sandbox.sales())

    choose(visitor).order().pay("4000 0000 0000 0002")

    assert "declined" in visitor.text
    assert len(sandbox.sales()) == before


def test_what_smart_gift_refuses_is_paid_back(visitor, sandbox):
    # given: the class is on sale, and sells out while the customer types
    visitor.open("/gift-vouchers/").open("/gift-vouchers/p/42/")
    visitor.press("Add to basket", persons="1").put_hamper_in_basket().order()
    sandbox.change_product(42, available_count=0)

    # when
    visitor.pay()

    # then
    assert "Smart Gift could not issue it" in visitor.text
    assert "Back to the card −£85.00" in visitor.text
    assert not any(sale.reference == visitor.reference for sale in sandbox.sales())
    sandbox.change_product(42, available_count=3)

    # and: the hamper, which was delivered, can still be refunded
    assert visitor.field("amount") == "80.00"


def test_a_lost_answer_to_the_sale_is_asked_for(visitor, sandbox):
    # given
    sandbox.faults.add(Fault(operation="pos-sale", mode="lost_after"))

    # when
    choose(visitor).order().pay().reload_until("Your gift voucher is ready")

    # then: it was sold once, and the buyer gets the number
    sales = [sale for sale in sandbox.sales() if sale.reference == visitor.reference]
    assert len(sales) == 1
    assert visitor.bought_number == sales[0].vouchers[0]


def test_the_checkout_says_what_is_missing(visitor, sandbox):
    before = len(sandbox.sales())
    choose(visitor)

    visitor.order(**{"customer-email": "jane", "customer-postcode": ""})

    assert "E-mail address: Enter a valid email address." in visitor.text
    assert "Postcode: This field is required." in visitor.text
    assert visitor.field("customer-first_name") == CUSTOMER["customer-first_name"]
    assert len(sandbox.sales()) == before


@pytest.mark.parametrize("amount", ["9", "1005", "52", "-50", "NaN", "50.001"])
def test_an_amount_that_is_not_offered_is_not_taken(visitor, amount):
    choose(visitor, amount=amount)

    assert "Amount: Enter an amount from £10.00 to £1,000.00" in visitor.text
    assert "There is nothing in it yet." in visitor.open("/basket/").text


def test_a_voucher_that_went_off_sale_blocks_the_checkout(visitor, shop):
    choose(visitor)
    shop.execute(
        "UPDATE wagtail_smartgift_voucherproduct SET status = 'disabled' "
        "WHERE remote_id = 37"
    )
    try:
        visitor.open("/checkout/")

        assert visitor.address.endswith("/basket/")
        assert "not on sale any more" in visitor.text
    finally:
        shop.execute(
            "UPDATE wagtail_smartgift_voucherproduct SET status = 'active' "
            "WHERE remote_id = 37"
        )

"""Paying in the example shop with gift vouchers, a card, or both."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.example.shop import DECLINED_CARD, GOOD_CARD, UNPAID_CARD, Visitor
from wagtail_smartgift.sandbox import Fault


def test_a_voucher_and_a_card_share_an_order(visitor, new_voucher, redeemed, sandbox):
    # given
    number = new_voucher("50.00")
    visitor.order_hamper().add_voucher(number)
    assert visitor.field("card_amount") == "30.00"

    # when
    visitor.pay()

    # then
    assert redeemed(number) == [50]
    assert [
        entry.amount for entry in sandbox.ledger(event="redeem", voucher_no=number)
    ] == [50]
    assert f"Gift voucher …{number[-4:]} £50.00" in visitor.text
    assert "Card •••• 4242 £30.00" in visitor.text


def test_a_refund_brings_the_voucher_back(visitor, new_voucher, redeemed, sandbox):
    number = new_voucher("50.00")
    visitor.order_hamper().add_voucher(number).pay()

    visitor.press("Refund")

    assert sandbox.voucher(number).balance == 50
    assert redeemed(number) == []
    assert "Back to the card −£30.00" in visitor.text
    assert "Back to the vouchers −£50.00" in visitor.text
    assert visitor.page.find(attrs={"name": "amount"}) is None


def test_a_partial_refund_goes_to_the_card_first(visitor, new_voucher, sandbox):
    number = new_voucher("50.00")
    visitor.order_hamper().add_voucher(number).pay()
    words = (
        "The card gets its part back first (up to £{}), then the voucher (up to £{})."
    )
    assert words.format("30.00", "50.00") in visitor.text

    visitor.press("Refund", amount="20.00")
    assert words.format("10.00", "50.00") in visitor.text
    assert "Back to the card −£20.00" in visitor.text
    assert sandbox.voucher(number).balance == 0

    visitor.press("Refund", amount="25.00")
    assert "Back to the card −£30.00" in visitor.text
    assert "Back to the vouchers −£15.00" in visitor.text
    assert sandbox.voucher(number).balance == 15

    visitor.press("Refund")
    assert sandbox.voucher(number).balance == 50


def test_a_refund_that_is_sent_twice_is_done_once(visitor, new_voucher, sandbox):
    number = new_voucher("50.00")
    visitor.order_hamper().add_voucher(number).pay()
    address, fields = visitor.form("Refund")
    fields["amount"] = "40.00"

    for _press in range(2):
        visitor.http.post(address, data=fields, timeout=60)

    assert sandbox.voucher(number).balance == 10


@pytest.mark.parametrize("amount", ["80.01", "0", "-1", "many"])
def test_a_refund_of_nonsense_is_refused(visitor, new_voucher, sandbox, amount):
    number = new_voucher("50.00")
    visitor.order_hamper().add_voucher(number).pay()

    visitor.press("Refund", amount=amount)

    assert sandbox.voucher(number).balance == 0
    assert "Back to" not in visitor.text


def test_vouchers_that_cover_everything_need_no_card(visitor, new_voucher, redeemed):
    first, second = new_voucher("50.00"), new_voucher("50.00")
    visitor.order_hamper().add_voucher(first).add_voucher(second)
    assert visitor.page.find(attrs={"name": "card_number"}) is None

    visitor.pay()

    assert (redeemed(first), redeemed(second)) == ([50], [30])
    assert "Card" not in visitor.page.aside.text


@pytest.mark.parametrize(
    "number",
    [
        "EMPTY-0000-0001",
        "EXPIRED-0025-0001",
        "CANCELLED-0025-0001",
        "QUAY-0050-0001",
        "NO-SUCH-NUMBER",
    ],
)
def test_what_cannot_be_used_has_one_answer(visitor, number):
    visitor.order_hamper().add_voucher(number)

    notice = visitor.page.select_one(".smartgift-vouchers__notice--bad").text
    assert notice.startswith("This voucher cannot be used here. Check the number")
    assert visitor.field("card_amount") == "80.00"
    assert number not in str(visitor.page)


def test_a_voucher_in_use_elsewhere_says_so(visitor, new_voucher, sandbox, redeemed):
    number = new_voucher()
    sandbox.hold_by_till(number)

    visitor.order_hamper().add_voucher(number)

    assert visitor.page.select_one(".smartgift-vouchers__notice--bad")
    assert visitor.field("card_amount") == "80.00"
    assert redeemed(number) == []


def test_a_declined_card_gives_the_hold_back(visitor, new_voucher, redeemed, sandbox):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)
    assert sandbox.voucher(number).hold is not None

    visitor.pay(DECLINED_CARD)

    assert "Your card was declined. Nothing was taken" in visitor.text
    assert sandbox.voucher(number).hold is None
    assert redeemed(number) == []

    # and: another card pays the same order, with the same voucher
    visitor.pay(GOOD_CARD)
    assert redeemed(number) == [50]
    assert "Card •••• 4242 £30.00" in visitor.text


def test_a_card_that_does_not_pay_undoes_the_redemption(visitor, new_voucher, sandbox):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)

    visitor.pay(UNPAID_CARD)

    assert "Your bank did not release the money" in visitor.text
    assert sandbox.voucher(number).balance == 50
    assert [entry.event for entry in sandbox.ledger(voucher_no=number)][-1] == "reverse"


def test_an_experience_pays_what_the_house_takes_for_it(visitor, sandbox):
    visitor.order_hamper().add_voucher("TEA-0002-0001")
    assert "£84.00" not in visitor.text
    assert "pays £80.00" in visitor.text

    visitor.press("Pay")

    assert "is paid" in visitor.text
    assert sandbox.voucher("TEA-0002-0001").remaining_bits == 0
    visitor.press("Cancel this order")
    assert sandbox.voucher("TEA-0002-0001").remaining_bits == 10


def test_no_gift_voucher_is_issued_for_a_card_that_does_not_pay(visitor, sandbox):
    sold = len(sandbox.sales())
    visitor.open("/gift-vouchers/the-old-mill-gift-voucher/")
    visitor.press("Add to basket", amount="50").order()

    visitor.pay(UNPAID_CARD)

    assert "Your bank did not release the money" in visitor.text
    assert len(sandbox.sales()) == sold
    assert not visitor.page.select(".smartgift-order")


def test_pay_pressed_twice_pays_once(visitor, new_voucher, redeemed, sandbox):
    # given
    number = new_voucher("20.00")
    visitor.order_hamper().add_voucher(number)
    address, fields = visitor.form("Pay £60.00")
    fields |= {"card_name": "Jane", "card_number": GOOD_CARD}

    # when: the button is pressed four times, faster than the answers come
    with ThreadPoolExecutor(4) as presses:
        answers = list(
            presses.map(
                lambda _press: visitor.http.post(address, data=fields, timeout=60),
                range(4),
            )
        )

    # then
    assert {answer.status_code for answer in answers} == {200}
    assert redeemed(number) == [20]
    assert sandbox.voucher(number).balance == 0
    visitor.open(f"/account/orders/{visitor.reference}/")
    assert "Card •••• 4242 £60.00" in visitor.text


def test_another_total_than_the_page_showed_is_not_charged(
    visitor, new_voucher, redeemed
):
    # given: a second window took the voucher out again
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)
    address, fields = visitor.form("Pay £30.00")
    visitor.press("Remove")

    # when
    fields |= {"card_name": "Jane", "card_number": GOOD_CARD}
    answer = visitor.http.post(address, data=fields, timeout=60)

    # then
    assert "What is left to pay has changed, and nothing was taken." in answer.text
    assert "Pay £80.00" in answer.text
    assert redeemed(number) == []


def test_an_order_that_is_called_off_frees_the_voucher(visitor, new_voucher, sandbox):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)

    visitor.press("Cancel this order")

    assert "This order is cancelled." in visitor.text
    assert sandbox.voucher(number).hold is None
    assert sandbox.voucher(number).balance == 50


def test_a_paid_order_that_is_cancelled_gives_everything_back(
    visitor, new_voucher, sandbox
):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number).pay()

    visitor.press("Cancel this order")

    assert "This order is cancelled." in visitor.text
    assert "Back to the card −£30.00" in visitor.text
    assert sandbox.voucher(number).balance == 50


def test_ordering_again_frees_the_vouchers_of_the_unpaid_order(
    visitor, new_voucher, sandbox
):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)

    visitor.order()

    assert sandbox.voucher(number).hold is None
    visitor.add_voucher(number)
    assert visitor.field("card_amount") == "30.00"


def test_a_lapsed_hold_is_taken_again_by_itself(
    visitor, new_voucher, redeemed, sandbox
):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)
    sandbox.release_by_till(number)

    visitor.pay()

    assert redeemed(number) == [50]


def test_a_voucher_spent_elsewhere_meanwhile_charges_no_card(
    visitor, new_voucher, sandbox, redeemed
):
    number = new_voucher()
    visitor.order_hamper().add_voucher(number)
    sandbox.spend_by_till(number, "50.00", despite_hold=True)
    sandbox.release_by_till(number)

    visitor.pay()

    assert "Payment" in visitor.page.h1.text
    assert redeemed(number) == [50]  # by the till
    assert "Card ••••" not in visitor.open(f"/account/orders/{visitor.reference}/").text


def test_smart_gift_down_takes_nothing(visitor, new_voucher, sandbox, redeemed):
    # given: the hold was given back with a declined card, and cannot be taken again
    number = new_voucher()
    visitor.order_hamper().add_voucher(number).pay(DECLINED_CARD)
    sandbox.faults.add(
        Fault(operation="hold", mode="status", status=503, voucher_no=number, times=3)
    )

    # when
    visitor.pay()

    # then
    assert visitor.page.h1.text == "Payment"
    assert "nothing was taken" in visitor.text
    assert redeemed(number) == []

    # and: it works again when Smart Gift does
    sandbox.faults.clear()
    visitor.pay()
    assert redeemed(number) == [50]


@pytest.mark.parametrize("mode", ["lost_after", "lost_before", "garbage"])
def test_a_lost_answer_is_settled_and_the_order_paid(
    visitor, new_voucher, sandbox, redeemed, mode
):
    # given: the answer to the redemption never comes
    number = new_voucher("70.00")
    visitor.order_hamper().add_voucher(number)
    sandbox.faults.add(Fault(operation="redeem", mode=mode, voucher_no=number, times=1))

    # when
    visitor.pay().reload_until("Thank you")

    # then
    assert redeemed(number) == [70]
    assert "Card •••• 4242 £10.00" in visitor.text


def test_an_order_that_waits_says_so(visitor, new_voucher, sandbox, redeemed):
    # given: too little to try again safely, so it has to be looked up
    number = new_voucher("200.00")
    visitor.order_hamper().add_voucher(number)
    sandbox.faults.add(
        Fault(operation="redeem", mode="lost_after", voucher_no=number, times=1)
    )

    # when
    visitor.pay()

    # then: either it is settled already, or the customer is told to wait
    if "Thank you" not in visitor.text:
        assert "please do not pay again" in visitor.text
        assert visitor.page.find("button", string="Refund") is None
    visitor.reload_until("Thank you")
    assert redeemed(number) == [80]


def test_orders_are_their_customers_alone(visitor, shop, new_voucher):
    visitor.order_hamper().pay()
    reference = visitor.reference
    assert reference in visitor.open("/account/orders/").text

    with Visitor(shop) as stranger:
        stranger.open(f"/account/orders/{reference}/", status=404)
        stranger.open(f"/checkout/{reference}/pay/", status=404)
        assert reference not in stranger.open("/account/orders/").text


def test_a_member_finds_orders_in_another_browser(visitor, shop):
    visitor.open("/account/login/").press("Log in", username="guest", password="guest")
    visitor.order_hamper().pay()
    reference = visitor.reference

    with Visitor(shop) as elsewhere:
        elsewhere.open("/account/login/")
        elsewhere.press("Log in", username="guest", password="guest")
        assert reference in elsewhere.open("/account/orders/").text
        elsewhere.open(f"/account/orders/{reference}/").press("Log out")


def test_a_form_without_its_token_is_refused(visitor):
    address, fields = visitor.order_hamper().form("Pay £80.00")
    del fields["csrfmiddlewaretoken"]

    answer = visitor.http.post(address, data=fields, timeout=60)

    assert answer.status_code == 403

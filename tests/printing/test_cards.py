"""Which cards there are, and what stands on them."""

from dataclasses import fields
from datetime import date

import pytest
from django.utils import translation

from tests.factories import make_index, make_voucher_page
from tests.printing.conftest import make_card
from wagtail_smartgift import codes, printing
from wagtail_smartgift.models import VoucherOrder, VoucherProduct
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import forgetting


def test_a_card_says_what_was_bought(sell):
    [item] = sell(
        {
            "product": 37,
            "price": "50.00",
            "to": "Jane",
            "from": "John",
            "message": "Happy birthday!",
        }
    ).items

    [card] = printing.cards_of(reference="order-1", valid_until=date(2028, 11, 29))

    assert card.venue == "The Old Mill"
    assert card.title == VoucherProduct.objects.get(remote_id=37).title
    assert (card.to, card.sender, card.message) == ("Jane", "John", "Happy birthday!")
    assert card.value == "£50.00"
    assert card.number == item.voucher_no
    assert card.valid_until == date(2028, 11, 29)


def test_an_experience_is_for_people_and_does_not_tell_its_price(sell):
    sell({"product": 39, "persons": 4})

    [card] = printing.cards_of(reference="order-1")

    assert card.value == "For 4 people"
    assert "118" not in repr(card)


def test_a_card_is_called_what_its_page_is_called(sell, site):
    sell()
    product = VoucherProduct.objects.get(remote_id=37)
    make_voucher_page(make_index(site), product, title="A day at the mill")

    [card] = printing.cards_of(reference="order-1")
    assert card.title == "A day at the mill"
    # A language without pages of its own has the site's.
    with translation.override("de"):
        [card] = printing.cards_of(reference="order-1")
    assert card.title == "A day at the mill"


def test_the_link_has_the_number_behind_the_address_and_nowhere_else(sell, site):
    sell()

    [card] = printing.cards_of(reference="order-1")

    address, _mark, fragment = card.link.partition("#")
    assert address == f"{site.root_url}/smartgift/balance/" == card.balance_url
    assert fragment == f"voucher={card.number}"


def test_what_is_no_letter_is_encoded_in_the_link():
    card = make_card(number="AB/12 #ü&=+?")

    assert card.link.endswith("#voucher=AB%2F12%20%23%C3%BC%26%3D%2B%3F")


@pytest.mark.parametrize(
    "number", ["ACDEFGHJKMNPQRTV", "GOOD-0050-0001", "AB/12 #ü&=+?", "%2F#code=1"]
)
@pytest.mark.parametrize("prefix", ["", "de/"])
def test_what_is_scanned_from_a_card_is_its_number(number, prefix):
    address = f"https://mill.example.org/{prefix}smartgift/balance/"
    card = make_card(number=number, balance_url=address)

    read = codes.read_voucher_number(card.link)

    assert read == codes.normalise_voucher_number(number)
    assert repr(read) == "<secret>"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("ACDEFGHJKMNPQRTV", "ACDE FGHJ KMNP QRTV"),
        ("ACDEF", "ACDE F"),
        ("ACDE", "ACDE"),
        ("GOOD-0050-0001", "GOOD-0050-0001"),
        ("", ""),
    ],
)
def test_a_number_is_grouped_to_be_read_out(number, shown):
    assert codes.grouped(number) == shown
    assert codes.normalise_voucher_number(shown) == number


def test_no_card_shows_its_number_by_accident():
    card = make_card()

    assert card.number not in repr(card)
    assert repr(card.link) == repr(card.grouped_number) == "<secret>"


def test_there_is_no_card_before_the_sale(sell, sandbox):
    sandbox.faults.add(Fault("pos-sale", "unauthorised", times=None))
    sell()

    purchase = printing.purchase_of(reference="order-1")

    assert purchase is not None
    assert (purchase.pending, purchase.placed) == (True, False)
    assert [voucher.number for voucher in purchase.vouchers] == [None]
    assert printing.cards_of(reference="order-1") == ()
    assert printing.mail_for(reference="order-1") is None


def test_there_is_no_card_where_smart_gift_makes_it(sell, configure):
    configure(OWN_VOUCHER_CODES=False)
    [item] = sell().items

    purchase = printing.purchase_of(reference="order-1")

    assert purchase is not None
    assert purchase.placed
    assert [voucher.number for voucher in purchase.vouchers] == [item.voucher_no]
    assert not purchase.has_cards
    assert printing.cards_of(reference="order-1") == ()


def test_there_is_no_purchase_of_another_reference(sell):
    sell()

    assert printing.purchase_of(reference="order-2") is None
    assert printing.cards_of(reference="order-2") == ()
    assert printing.mail_for(reference="order-2") is None


def test_what_is_forgotten_is_on_no_card(sell):
    sell({"product": 37, "price": "50.00", "to": "Jane", "message": "Hello"})
    assert forgetting.forget_order(VoucherOrder.objects.get())

    [card] = printing.cards_of(reference="order-1")

    assert (card.to, card.sender, card.message) == ("", "", "")
    assert printing.mail_for(reference="order-1") is None


def test_every_field_with_a_person_or_a_number_stays_out_of_the_repr():
    hidden = {one.name for one in fields(printing.BoughtVoucher) if not one.repr}

    assert hidden == {"to", "sender", "message", "number"}

"""The pages after buying: who sees the cards, and what they leave behind."""

import io
import re
from datetime import date, timedelta
from html import unescape

import pytest
import zxingcpp
from django.core import signing
from django.template import engines
from django.test import Client
from django.urls import resolve
from pypdf import PdfReader

from tests.printing.conftest import make_card
from wagtail_smartgift import printing
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.printing import links, pdf, qr
from wagtail_smartgift.sandbox import Fault


def words(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def shown(reference="order-1", arguments="", request=None):
    page = engines["django"].from_string(
        "{% load smartgift %}{% voucher_order reference " + arguments + " %}"
    )
    return page.render({"reference": reference}, request)


def grouped(number):
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


@pytest.fixture
def card_url(sell):
    sell({"product": 37, "price": "50.00", "to": "Jane"})
    return printing.card_url(reference="order-1")


def number_of(reference="order-1"):
    [card] = printing.cards_of(reference=reference)
    return card.number


# -- the part of a page after buying ------------------------------------------------------


def test_a_queued_order_says_so_and_then_that_it_is_placed(sell, sandbox):
    sandbox.faults.add(Fault("pos-sale", "unauthorised", times=None))
    sell()

    queued = words(shown())
    assert "Your gift voucher is being issued" in queued
    assert "You will be told as soon as the voucher is ready" in queued
    assert "Print" not in queued

    sandbox.faults.clear()
    sell()

    placed = words(shown())
    assert "Your gift voucher is ready" in placed
    assert grouped(number_of()) in placed
    assert "Print the card" in placed
    assert "Open as PDF" in placed


def test_a_sale_that_is_under_way_can_be_looked_at_again(sell, sandbox, rf):
    sandbox.faults.add(Fault("pos-sale", "unauthorised", times=None))
    sell()

    link = '<a href="/orders/1/?from=mail&amp;x=1">Look again</a>'
    request = rf.get("/orders/1/?from=mail&x=1")
    assert link in shown(request=request)
    VoucherOrder.objects.update(status="placing")
    assert link in shown(request=request)
    # A page without a request has no address, and one of a placed sale no news.
    assert "Look again" not in shown()
    VoucherOrder.objects.update(status="queued")
    sandbox.faults.clear()
    sell()
    assert "Look again" not in shown(request=request)


@pytest.mark.parametrize(
    ("status", "one", "several"),
    [
        (
            "queued",
            ["Your gift voucher is being issued", "the voucher is ready"],
            ["Your gift vouchers are being issued", "the vouchers are ready"],
        ),
        (
            "placing",
            ["Your gift voucher is being issued", "the voucher is ready"],
            ["Your gift vouchers are being issued", "the vouchers are ready"],
        ),
        (
            "refused",
            ["Your gift voucher could not be issued", "what you paid for it."],
            ["Your gift vouchers could not be issued", "what you paid for them."],
        ),
        (
            "needs_attention",
            ["Your gift voucher needs another moment"],
            ["Your gift vouchers need another moment"],
        ),
    ],
)
def test_other_states_are_told_without_numbers(sell, status, one, several):
    wish = {"product": 37, "price": "50.00"}
    sell(wish)
    sell(wish, wish, reference="order-2")
    number = number_of()
    VoucherOrder.objects.update(status=status)

    for reference, told, other in (
        ("order-1", one, several),
        ("order-2", several, one),
    ):
        page = shown(reference)
        for sentence in told:
            assert sentence in words(page)
        assert not [sentence for sentence in other if sentence in words(page)]
        assert grouped(number) not in page
        assert "/cards/" not in page


def test_what_smart_gift_sends_is_told_of_one_and_of_several(sell, configure):
    configure(OWN_VOUCHER_CODES=False)
    wish = {"product": 37, "price": "50.00"}
    sell(wish)
    sell(wish, wish, reference="order-2")
    VoucherOrderItem.objects.update(number_encrypted="")
    for order in VoucherOrder.objects.all():
        order.delivery["date"] = "2028-11-29"
        order.save()

    one, several = words(shown()), words(shown("order-2"))

    assert "It is sent as you chose. Its number comes with it." in one
    assert "It is sent on 29 Nov 2028." in one
    assert "They are sent as you chose. Their numbers come with them." in several
    assert "They are sent on 29 Nov 2028." in several


def test_one_voucher_is_told_otherwise_than_several(sell):
    wish = {"product": 37, "price": "50.00"}
    sell(wish)
    assert "Print the card and hand it over" in words(shown())
    assert "It can be used at once." in words(shown())
    assert not re.search("vouchers|They|them", words(shown()))

    sell(wish, wish, reference="order-2")
    assert "Print the cards and hand them over" in words(shown("order-2"))
    assert "They can be used at once." in words(shown("order-2"))


def test_staff_see_neither_numbers_nor_the_way_to_them(sell):
    sell()

    page = shown(arguments="shows_numbers=False")

    assert "Your gift voucher is ready" in words(page)
    assert grouped(number_of()) not in page
    assert "/cards/" not in page


def test_nothing_is_said_where_nothing_was_sold(db):
    assert shown("nobody").strip() == ""


def test_without_the_extra_the_page_can_be_printed_and_the_pdf_is_not_offered(
    sell, monkeypatch
):
    sell()
    monkeypatch.setattr(pdf, "_INSTALLED", False)

    assert "Print the card" in shown()
    assert "Open as PDF" not in shown()


def test_what_was_typed_is_no_markup(sell):
    sell({"product": 37, "price": "50.00", "to": "<script>alert(1)</script>"})

    assert "<script>" not in shown()
    assert "&lt;script&gt;" in shown()


# -- the card --------------------------------------------------------------------------


def test_a_card_is_shown_to_whom_the_address_was_given(client, card_url):
    answer = client.get(card_url)

    assert answer.status_code == 200
    text = words(answer.text)
    for part in ("The Old Mill", "£50.00", "Jane", grouped(number_of())):
        assert part in text


def test_nobody_keeps_it(client, card_url):
    for url in (card_url, printing.pdf_url(reference="order-1")):
        answer = client.get(url)

        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
        assert "private" in answer.headers["Cache-Control"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.cookies == {}


def test_no_address_has_the_number(client, card_url):
    number = number_of()

    page = client.get(card_url).text

    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert addresses
    assert not [one for one in [card_url, *addresses] if number in one or "#" in one]
    # Nor anything that is signed: what is in the address can be read by everybody.
    assert number not in str(signing.loads(card_url.split("/")[-2], salt=links._SALT))


def test_the_script_has_the_nonce_of_the_policy(rf, card_url):
    request = rf.get(card_url)
    request.csp_nonce = "only-once"

    page = resolve(card_url).func(request, card_url.split("/")[-2]).render()

    assert 'print.js" nonce="only-once"></script>' in page.content.decode()


def test_the_code_on_the_page_is_drawn_without_styles_of_its_own(client, card_url):
    page = client.get(card_url).text

    [code] = re.findall(r"<svg.*?</svg>", page, re.S)
    assert "style=" not in page
    assert number_of() not in code


def test_another_site_or_hand_has_no_card(client, card_url):
    for address in (
        card_url.replace(card_url[-4], "x" if card_url[-4] != "x" else "y"),
        "/smartgift/cards/order-1/",
        f"/smartgift/cards/{signing.dumps({'sale': 'order-1'})}/",
        f"{card_url}pdf/x/",
    ):
        answer = client.get(address)

        assert answer.status_code == 404
        assert number_of() not in answer.text


def test_an_address_is_good_for_an_hour(client, card_url, time_machine_now):
    time_machine_now.shift(timedelta(minutes=59))
    assert client.get(card_url).status_code == 200

    time_machine_now.shift(timedelta(minutes=2))
    answer = client.get(card_url)

    assert answer.status_code == 410
    assert "This address has expired" in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert grouped(number_of()) not in answer.text


def test_only_looking_is_allowed(client, card_url):
    assert client.post(card_url).status_code == 405
    assert client.head(card_url).status_code == 200


def test_there_is_nothing_to_see_before_the_sale(client, sell, sandbox):
    sandbox.faults.add(Fault("pos-sale", "unauthorised", times=None))
    sell()

    for url in (printing.card_url, printing.pdf_url):
        assert client.get(url(reference="order-1")).status_code == 404


def test_a_date_comes_along_in_the_address(client, card_url):
    until = date(2028, 11, 29)
    url = printing.card_url(reference="order-1", valid_until=until)
    pdf_url = printing.pdf_url(reference="order-1", valid_until=until)

    assert "Valid until 29 Nov 2028." in words(client.get(url).text)
    assert "Valid until" not in words(client.get(card_url).text)
    [page] = PdfReader(io.BytesIO(client.get(pdf_url).content)).pages
    assert "Valid until 29 Nov 2028." in page.extract_text()


def test_it_is_in_the_language_of_the_visitor(client, card_url):
    page = client.get(card_url, headers={"Accept-Language": "pl"})

    assert '<html lang="pl"' in page.text
    assert "50,00" in page.text


def test_the_pdf_is_one(client, card_url):
    answer = client.get(printing.pdf_url(reference="order-1"))

    assert answer.headers["Content-Type"] == "application/pdf"
    assert 'filename="gift-voucher.pdf"' in answer.headers["Content-Disposition"]
    [page] = PdfReader(io.BytesIO(answer.content)).pages
    assert grouped(number_of()) in page.extract_text()


@pytest.mark.parametrize("module", [pdf, qr])
def test_without_the_extra_there_is_no_pdf_and_the_page_is_whole(
    client, card_url, monkeypatch, module
):
    monkeypatch.setattr(module, "_INSTALLED", False)

    page = client.get(card_url)

    assert page.status_code == 200
    assert grouped(number_of()) in page.text
    assert "Open as PDF" not in page.text
    assert ("<svg" in page.text) == (module is pdf)
    assert client.get(printing.pdf_url(reference="order-1")).status_code == 404


def test_a_script_without_a_font_has_a_page_to_print_all_the_same(client, sell):
    sell({"product": 37, "price": "50.00", "to": "李明"})

    page = client.get(printing.card_url(reference="order-1"))

    assert "李明" in page.text
    assert "Open as PDF" not in page.text
    assert client.get(printing.pdf_url(reference="order-1")).status_code == 404


@pytest.mark.parametrize("breaks", [True, False])
def test_the_link_to_the_pdf_is_no_server_error(client, sell, monkeypatch, breaks):
    sell({"product": 37, "price": "50.00", "message": "!" * 1000})
    if breaks:
        monkeypatch.setattr(pdf.fpdf.FPDF, "output", lambda document: 1 / 0)

    page = client.get(printing.pdf_url(reference="order-1"))

    assert page.status_code == (404 if breaks else 200)


def test_an_error_page_shows_no_number(card_url, monkeypatch, settings):
    settings.DEBUG = True
    number = number_of()

    def breaks(link):
        raise RuntimeError("drawing failed")

    monkeypatch.setattr(qr, "svg_of", breaks)

    answer = Client(raise_request_exception=False).get(card_url)

    assert answer.status_code == 500
    assert number not in answer.text
    assert grouped(number) not in answer.text


def test_the_svg_is_read_by_a_scanner():
    from PIL import Image, ImageDraw

    card = make_card()
    svg = qr.svg_of(card.link)
    side = 8
    size = int(re.search(r'viewBox="0 0 (\d+) ', svg)[1])
    picture = Image.new("L", (size * side, size * side), 255)
    draw = ImageDraw.Draw(picture)
    # Strokes one module thick: "M4 4.5h7m1 0h…" in absolute and relative moves.
    x = y = 0.0
    for command, numbers in re.findall(
        r"([Mmh])([-\d. ]+)", re.search(r'stroke="#000".*?d="([^"]+)"', svg)[1]
    ):
        values = [float(one) for one in numbers.split()]
        if command == "h":
            draw.rectangle(
                [
                    x * side,
                    (y - 0.5) * side,
                    (x + values[0]) * side - 1,
                    (y + 0.5) * side - 1,
                ],
                fill=0,
            )
            x += values[0]
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            x, y = values

    [read] = zxingcpp.read_barcodes(picture)

    assert read.text == card.link

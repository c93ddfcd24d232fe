"""The mail that brings the vouchers."""

import io
import re

import pytest
from django.core import mail as django_mail
from django.utils import translation
from pypdf import PdfReader

from wagtail_smartgift import printing
from wagtail_smartgift.models import VoucherOrder
from wagtail_smartgift.printing import pdf


def parts(mail):
    [(html, kind)] = [(one.content, one.mimetype) for one in mail.alternatives]
    assert kind == "text/html"
    return mail.body, html


def grouped(number):
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def test_it_brings_the_numbers_and_the_cards(sell):
    [item] = sell({"product": 37, "price": "50.00", "to": "Jane"}).items

    mail = printing.mail_for(reference="order-1")

    assert mail.to == ["john@example.org"]
    assert mail.subject == "Your gift voucher for The Old Mill"
    for text in parts(mail):
        assert grouped(item.voucher_no) in text
        assert "£50.00" in text
        assert "Jane" in text
        assert "/smartgift/balance/" in text
    [attached] = mail.attachments
    assert attached.filename == "gift-voucher.pdf"
    assert attached.mimetype == "application/pdf"
    [page] = PdfReader(io.BytesIO(attached.content)).pages
    assert grouped(item.voucher_no) in page.extract_text()
    # Making it sends nothing.
    assert django_mail.outbox == []


def test_no_link_in_it_has_a_number(sell):
    """Programs on the way open links, rewrite them and keep them."""
    [item] = sell().items

    for text in parts(printing.mail_for(reference="order-1")):
        assert item.voucher_no not in text
        assert "voucher=" not in text
        assert "/cards/" not in text


def test_it_goes_through_a_mail_server(sell):
    sell()

    printing.mail_for(reference="order-1").send()

    [sent] = django_mail.outbox
    assert b"application/pdf" in sent.message().as_bytes()


def test_it_is_in_the_language_that_is_active(sell):
    sell()

    with translation.override("fr"):
        mail = printing.mail_for(reference="order-1")

    body, html = parts(mail)
    assert "50,00" in body
    assert "£50.00" not in body
    assert '<html lang="fr"' in html


def test_what_was_typed_is_text_and_no_header(sell, site):
    site.site_name = "Mill\r\nBcc: everybody@example.org"
    site.save()
    sell(
        {
            "product": 37,
            "price": "50.00",
            "to": "<b>Jane</b> & co",
            "message": "{{ purchase }}",
        }
    )

    mail = printing.mail_for(reference="order-1")
    body, html = parts(mail)

    assert "\n" not in mail.subject
    assert "Bcc" not in str(mail.message().keys())
    assert "<b>Jane</b> & co" in body
    assert "&lt;b&gt;Jane&lt;/b&gt; &amp; co" in html


def test_without_the_extra_it_has_no_attachment(sell, monkeypatch):
    [item] = sell().items
    monkeypatch.setattr(pdf, "_INSTALLED", False)

    mail = printing.mail_for(reference="order-1")

    assert mail.attachments == []
    assert grouped(item.voucher_no) in mail.body
    assert "attached" not in mail.body


@pytest.mark.parametrize("breaks", [True, False])
def test_the_mail_comes_whatever_the_greeting_is(sell, monkeypatch, breaks):
    [item] = sell({"product": 37, "price": "50.00", "message": "!" * 1000}).items
    if breaks:
        # A fault of the library that nobody has met yet.
        monkeypatch.setattr(pdf.fpdf.FPDF, "output", lambda document: 1 / 0)

    mail = printing.mail_for(reference="order-1")

    assert len(mail.attachments) == (0 if breaks else 1)
    assert ("attached" in mail.body) is not breaks
    assert grouped(item.voucher_no) in mail.body


def test_where_smart_gift_makes_the_cards_it_says_that_they_come(sell, configure):
    configure(OWN_VOUCHER_CODES=False)
    sell()

    mail = printing.mail_for(reference="order-1")

    assert "on its way" in mail.body
    assert "E-mail" in mail.body
    assert "Voucher number" not in mail.body
    assert mail.attachments == []


def test_several_are_in_one_mail(sell):
    sell({"product": 37, "price": "50.00"}, {"product": 39, "persons": 2})

    mail = printing.mail_for(reference="order-1")

    assert mail.subject == "Your 2 gift vouchers for The Old Mill"
    [attached] = mail.attachments
    assert len(PdfReader(io.BytesIO(attached.content)).pages) == 2


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("day", ["", "2028-11-29"])
def test_one_is_told_otherwise_than_several(sell, configure, own, day):
    configure(OWN_VOUCHER_CODES=own)
    wish = {"product": 37, "price": "50.00"}
    sell(wish)
    sell(wish, wish, reference="order-2")
    for order in VoucherOrder.objects.all():
        order.delivery["date"] = day
        order.save()

    for index in (0, 1):
        one = parts(printing.mail_for(reference="order-1"))[index]
        several = parts(printing.mail_for(reference="order-2"))[index]

        assert not re.search("gift vouchers|They are|their way", one)
        assert not re.search("gift voucher |It is|its way", several)
        assert ("It is attached" in one) is own
        assert ("They are attached" in several) is own
        assert ("It is sent on 29 Nov 2028." in one) is bool(day)
        assert ("They are sent on 29 Nov 2028." in several) is bool(day)


def test_a_template_of_the_host_takes_the_place_of_ours(sell, settings, tmp_path):
    folder = tmp_path / "wagtail_smartgift" / "mail"
    folder.mkdir(parents=True)
    (folder / "vouchers_subject.txt").write_text("A present!\n", "utf-8")
    [engine] = settings.TEMPLATES
    (folder / "vouchers.html").write_text("<p>From us.</p>", "utf-8")
    settings.TEMPLATES = [{**engine, "DIRS": [str(tmp_path), *engine["DIRS"]]}]
    sell()

    mail = printing.mail_for(reference="order-1")

    assert mail.subject == "A present!"
    assert parts(mail)[1] == "<p>From us.</p>"


@pytest.mark.parametrize("customer", [{}, {"email": ""}])
def test_nobody_is_written_to_where_no_address_is_known(sell, customer):
    sell()
    VoucherOrder.objects.update(customer=customer)

    assert printing.mail_for(reference="order-1") is None

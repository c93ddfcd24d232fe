"""What a buyer sees and gets: the status, the card, the mail, in their language."""

import email
import email.policy
import io
import time

import django
import pytest
from pypdf import PdfReader

from tests.example.browser import WIDTHS, look
from tests.example.shop import CUSTOMER, GOOD_CARD
from wagtail_smartgift.sandbox import Fault


def buy(visitor, **wishes):
    visitor.open("/gift-vouchers/the-old-mill-gift-voucher/")
    visitor.press("Add to basket", amount="50", **wishes)
    return visitor.order().pay()


def grouped(number):
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def mails(shop, reference):
    """Return the mails about an order; the example's mails are files."""
    found = []
    for path in (shop.folder / "var" / "mail").glob("*.log"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("plain",))
        if body is not None and reference in body.get_content():
            found.append(mail)
    return found


def link(visitor, text):
    [found] = visitor.page.find_all("a", string=text)
    return found["href"]


def test_the_buyer_gets_the_card(visitor, shop):
    buy(visitor, to="Żaneta ŵ <b>", sender="Jane", message="Happy birthday!")
    number, pdf = visitor.bought_number, link(visitor, "Open as PDF")

    visitor.open(link(visitor, "Print the card"))
    assert grouped(number) in visitor.text
    assert "Żaneta ŵ <b>" in visitor.text
    assert "£50.00" in visitor.text

    answer = visitor.http.get(shop.url + pdf, timeout=60)
    [page] = PdfReader(io.BytesIO(answer.content)).pages
    text = page.extract_text()
    assert grouped(number) in text
    assert "Żaneta ŵ <b>" in text
    assert number not in visitor.address + pdf


def test_the_buyer_gets_one_mail(visitor, shop):
    reference = buy(visitor).reference
    number = visitor.bought_number

    [mail] = mails(shop, reference)
    assert mail["To"] == "jane@example.org"
    assert grouped(number) in mail.get_body(("plain",)).get_content()
    [card] = mail.iter_attachments()
    assert card.get_content_type() == "application/pdf"
    assert "It is in a mail to jane@example.org" in visitor.reload_until("mail").text

    # Told twice, as an outbox may: no second mail.
    shop.execute(
        "UPDATE wagtail_smartgift_outboxevent SET dispatched_at = NULL, "
        "next_attempt_at = '2020-01-01' WHERE type = 'voucher_order.placed'"
    )
    shop.manage("smartgift_reconcile")
    assert len(mails(shop, reference)) == 1


def test_a_mail_that_could_not_be_sent_is_sent_later(visitor, shop):
    """The claim of a process that died is given up after a while, and not before."""
    reference = buy(visitor).reference
    for path in (shop.folder / "var" / "mail").glob("*.log"):
        path.unlink()
    again = (
        "UPDATE wagtail_smartgift_outboxevent SET dispatched_at = NULL, "
        "next_attempt_at = '2020-01-01' WHERE type = 'voucher_order.placed'"
    )
    begun = "UPDATE mill_shop_order SET mailed_at = NULL, mail_begun_at = {} WHERE reference = '{}'"

    shop.execute(begun.format("datetime('now')", reference))
    shop.execute(again)
    shop.manage("smartgift_reconcile")
    assert mails(shop, reference) == []

    shop.execute(begun.format("'2020-01-01 00:00:00'", reference))
    shop.execute(again)
    deadline = time.monotonic() + 60
    while not mails(shop, reference) and time.monotonic() < deadline:
        shop.manage("smartgift_reconcile")
    assert len(mails(shop, reference)) == 1


def test_a_queued_order_is_told_and_its_mail_comes_when_it_is_placed(
    visitor, shop, sandbox
):
    sandbox.faults.add(Fault("pos-sale", "unauthorised", times=None))
    reference = buy(visitor).reference

    assert "Your gift voucher is being issued" in visitor.text
    assert "You will be told as soon as the voucher is ready" in visitor.text
    assert mails(shop, reference) == []

    sandbox.faults.clear()
    shop.execute(
        "UPDATE wagtail_smartgift_voucherorder SET next_look_at = '2020-01-01'"
    )
    visitor.reload_until("Your gift voucher is ready")
    visitor.reload_until("It is in a mail to")
    assert len(mails(shop, reference)) == 1


@pytest.mark.parametrize(("language", "amount"), [("de", "50,00 £"), ("cy", "£50.00")])
def test_a_visitor_of_another_language_buys_and_pays(
    visitor, shop, redeemed, language, amount
):
    """Numbers are written otherwise there, and forms have to send them all the same."""
    visitor.open(f"/language/{language}/?next=/basket/")
    assert visitor.address == f"{shop.url}/basket/"
    assert visitor.page.find("a", attrs={"aria-current": "true", "lang": language})

    def press(name, **values):
        """Press the button of the form that has a field of this name."""
        form = visitor.page.find(attrs={"name": name}).find_parent("form")
        return visitor.press(form.find("button").get_text(" ", strip=True), **values)

    def plain():
        return " ".join(visitor.text.split())

    visitor.open("/gift-vouchers/the-old-mill-gift-voucher/")
    press("amount", amount="50")
    visitor.open("/checkout/")
    assert amount in plain()
    press("customer-email", **CUSTOMER)
    press("card_number", card_name="Jane Miller", card_number=GOOD_CARD)
    assert "Thank you, Jane" in visitor.text
    assert amount in plain()
    number, reference = visitor.bought_number, visitor.reference
    [mail] = mails(shop, reference)
    body = " ".join(mail.get_body(("plain",)).get_content().split())
    assert amount in body

    # and: an order of £80 with it, the rest by card
    visitor.open("/shop/mill-hamper/")
    press("quantity", quantity="1")
    visitor.open("/checkout/")
    press("customer-email", **CUSTOMER)
    press("voucher_no", voucher_no=number)
    press("card_number", card_name="Jane Miller", card_number=GOOD_CARD)
    assert "Thank you, Jane" in visitor.text
    assert redeemed(number) == [50]


def test_a_language_leads_nowhere_else(visitor, shop):
    for target in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "x",
        "a?b",
    ):
        answer = visitor.http.get(
            f"{shop.url}/language/de/",
            params={"next": target},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.headers["Location"] == "/"
    visitor.open("/language/xx/", status=404)


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en-gb", "pl"])
def test_the_pages_after_buying_can_be_used_by_everybody(
    windows, visitor, sandbox, language
):
    wishes = {"to": "W" * 100, "sender": "שלום 🎁", "message": "x" * 500}
    buy(visitor, **wishes)
    order, card = visitor.address, link(visitor, "Print the card")
    visitor.http.cookies.set("mill_language", language)

    page = windows.open(order, visitor=visitor)
    look(page, widths=WIDTHS)
    # On paper there is nothing to press, and the number is.
    page.emulate_media(media="print")
    part = page.locator(".smartgift-order")
    assert part.locator("code").is_visible()
    assert part.locator("a").count() == 2
    assert not any(one.is_visible() for one in part.locator("a").all())
    page = windows.open(card, visitor=visitor)
    look(page, widths=WIDTHS)
    # The button needs the script; the rest does not.
    assert page.locator("[data-smartgift-print]").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("[data-smartgift-print]").is_visible()
    page = windows.open(card, visitor=visitor, java_script_enabled=False)
    assert page.locator(".smartgift-printed__number").is_visible()
    assert not page.locator("[data-smartgift-print]").is_visible()

    sandbox.faults.add(Fault("pos-sale", "unauthorised", times=None))
    visitor.http.cookies.set("mill_language", "en-gb")
    buy(visitor)
    visitor.http.cookies.set("mill_language", language)
    look(windows.open(visitor.address, visitor=visitor), widths=WIDTHS)


#: Sends mails of another make, in the shop's own process.
MAILING = """
from datetime import timedelta
from django.utils import timezone
from mill.shop import mailing
from mill.shop.models import Order, WORKING_TIME

order = Order.objects.create(reference={reference!r}, customer={{}}, total="50.00")
mine = Order.objects.filter(pk=order.pk)
told = []

def send(act):
    mail = act and type("Mail", (), {{"send": staticmethod(act)}})
    mailing.printing.mail_for = lambda reference: mail
    try:
        mailing.send_vouchers(order)
    except (OSError, mailing.MailUnderWay) as error:
        told.append(type(error).__name__)
"""


def mailing(shop, reference, script):
    out = shop.manage("shell", "-c", MAILING.format(reference=reference) + script)
    return out.strip().splitlines()[-1]


def test_who_gives_up_leaves_the_mail_to_who_took_over(shop):
    script = """
def hangs():
    # Taken for dead: another process has begun, and is at it.
    mine.update(mail_begun_at=timezone.now() + timedelta(seconds=1))
    raise OSError("timed out")

send(hangs)
send(lambda: told.append("a second mail"))
print(told, mine.get().mailed_at)
"""
    assert mailing(shop, "OM-SLOW", script) == "['OSError', 'MailUnderWay'] None"


def test_who_gives_up_lets_the_next_one_try_at_once(shop):
    script = """
def fails():
    raise OSError("no such host")

send(fails)
send(lambda: told.append("mail"))
send(lambda: told.append("a second mail"))
print(told, mine.get().mailed_at is not None)
"""
    assert mailing(shop, "OM-FAILS", script) == "['OSError', 'mail'] True"


def test_what_was_sent_late_is_not_sent_again(shop):
    script = """
def hangs():
    mine.update(mail_begun_at=timezone.now() - 2 * WORKING_TIME)
    told.append("mail")

send(hangs)
send(lambda: told.append("a second mail"))
print(told)
"""
    assert mailing(shop, "OM-LATE", script) == "['mail']"


def test_where_there_is_nothing_to_mail_nobody_is_mailing(shop):
    script = """
send(None)
send(None)
print(told, mine.get().mail_begun_at, mine.get().mailed_at)
"""
    assert mailing(shop, "OM-NONE", script) == "[] None None"


@pytest.mark.skipif(
    django.VERSION >= (6, 1), reason="the timeout is an option of a mail server there"
)
def test_a_mail_server_that_says_nothing_is_given_up_before_its_caller_is(shop):
    script = """
from django.conf import settings
print(timedelta(seconds=settings.EMAIL_TIMEOUT) < WORKING_TIME / 2)
"""
    assert mailing(shop, "OM-TIME", script) == "True"

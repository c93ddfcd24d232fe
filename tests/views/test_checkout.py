"""The voucher field over a real page, its forms filled in as a browser would."""

import re
import time
from datetime import datetime, timedelta
from datetime import timezone as zones
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser

import pytest
import time_machine
from django.core import signing
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.template import engines
from django.template.defaultfilters import floatformat
from django.test import Client
from django.utils import timezone, translation
from django.utils.cache import get_cache_key

from wagtail_smartgift import payments, voucher_field
from wagtail_smartgift.amounts import read_amount
from wagtail_smartgift.exceptions import PaymentError, whole_minute
from wagtail_smartgift.models import Redemption, SessionSecret
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import guessing


pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.views.checkout_urls")]

GOOD, OTHER, TEA = (
    "GOOD-0025-0001",
    "GOOD-0010-0001",
    "TEA-0002-0001",
)


class Forms(HTMLParser):
    """Collects the forms of a page: their action and the values of their fields."""

    def __init__(self, page):
        super().__init__()
        self.forms = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.forms.append((attrs["action"], {}, attrs))
        elif tag == "input" and self.forms and "name" in attrs:
            if attrs.get("type") == "checkbox" and "checked" not in attrs:
                return
            fields = self.forms[-1][1]
            value = attrs.get("value", "")
            if attrs.get("type") == "checkbox":
                value = [*fields.get(attrs["name"], []), value]
            fields[attrs["name"]] = value


class Attributes(HTMLParser):
    """The attributes of the first element that has one of a name."""

    def __init__(self, page, name):
        super().__init__()
        self.name = name
        self.found = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if self.name in attrs and not self.found:
            self.found = attrs


class Visitor:
    """A visitor with cookies, who fills in forms."""

    def __init__(self, **options):
        self.client = Client(enforce_csrf_checks=True, **options)
        self.page = ""

    def open(self, address="/pay/order-1/", **more):
        response = self.client.get(address, **more)
        assert response.status_code == 200
        self.page = response.text
        return self

    def fields(self, action):
        return next(
            fields for address, fields, _ in Forms(self.page).forms if address == action
        )

    def send(self, action, **values):
        """Send a form and follow the way back to its page."""
        response = self.client.post(action, {**self.fields(action), **values})
        assert response.status_code == 303
        address, _, fragment = response["Location"].partition("#")
        assert fragment == "smartgift-vouchers"
        return self.open(address)

    def add(self, number, **values):
        return self.send(ADD, voucher_no=number, **values)

    @property
    def text(self):
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.page)).split())

    @property
    def notice(self):
        found = re.search(r'id="smartgift-vouchers-notice"[^>]*>([^<]*)<', self.page)
        return unescape(found[1]) if found else None


UTC = zones.utc
ADD = "/smartgift/payment/vouchers/"
CHANGE = "/smartgift/payment/vouchers/change/"
REMOVE = "/smartgift/payment/vouchers/remove/"
RENEW = "/smartgift/payment/vouchers/renew/"


@pytest.fixture
def session(sandbox):
    return payments.open_session(reference="order-1", amount_due="40.00")


@pytest.fixture
def visitor(session):
    return Visitor().open()


def covered():
    return payments.get_session(reference="order-1").amount_covered


def test_a_voucher_is_added_and_says_what_it_pays(visitor, sandbox):
    visitor.add("  GOOD-0025 -0001 ")

    assert visitor.notice == "Your voucher was added."
    assert "Voucher …0001 pays £25.00. £0.00 stays on it." in visitor.text
    assert "Left to pay £15.00" in visitor.text
    # A tender, and no discount: the sums of the order stay what they are.
    assert "prices and VAT stay the same" in visitor.text
    held = Redemption.objects.get().held_until
    until = timezone.localtime(held).strftime("%H:%M")
    assert f"Kept for you until {until}." in visitor.text
    assert sandbox.voucher(GOOD).hold is not None
    assert covered() == Decimal("25.00")


def test_the_notice_is_shown_once(visitor):
    visitor.add(GOOD)

    assert visitor.notice
    assert visitor.open().notice is None


def send_by_script(visitor, action=ADD, **values):
    """Send a form as the script does; return the word that it reads its page with."""
    response = visitor.client.post(
        action, {**visitor.fields(action), **values}, headers={"SmartGift-Notice": "1"}
    )
    assert response.status_code == 204
    assert "no-store" in response["Cache-Control"]
    return response["SmartGift-Notice"]


def test_the_script_hands_what_came_of_a_form_to_its_own_page(visitor):
    word = send_by_script(visitor, voucher_no=GOOD)

    # Another window reads in the meantime, and opens the page anew.
    assert visitor.open(headers={"SmartGift-Notice": "1"}).notice is None
    assert visitor.open().notice is None
    mine = visitor.open(headers={"SmartGift-Notice": word})
    assert mine.notice == "Your voucher was added."
    assert GOOD not in str(signing.loads(word, salt="wagtail_smartgift.notice"))
    refused = send_by_script(visitor, voucher_no="NO-SUCH-NUMBER")
    told = visitor.open(headers={"SmartGift-Notice": refused})
    assert told.notice.startswith("This voucher cannot be used here.")
    assert 'aria-invalid="true"' in told.page


def test_the_script_leaves_what_waits_for_a_plain_form(visitor):
    visitor.client.post(ADD, {**visitor.fields(ADD), "voucher_no": GOOD})

    assert visitor.open(headers={"SmartGift-Notice": "1"}).notice is None
    assert visitor.open().notice == "Your voucher was added."


def test_a_word_tells_of_its_payment_and_for_a_while(visitor):
    payments.open_session(reference="order-2", amount_due="40.00")
    word = send_by_script(visitor, voucher_no=GOOD)

    assert (
        visitor.open("/pay/order-2/", headers={"SmartGift-Notice": word}).notice is None
    )
    forged = {"SmartGift-Notice": word[:-1] + ("a" if word[-1] != "a" else "b")}
    assert visitor.open(headers=forged).notice is None
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=True):
        assert visitor.open(headers={"SmartGift-Notice": word}).notice is None


def test_the_number_is_nowhere_but_in_the_form(visitor, caplog):
    response = visitor.client.post(ADD, {**visitor.fields(ADD), "voucher_no": GOOD})

    assert GOOD not in response["Location"]
    assert GOOD not in str(dict(visitor.client.session.items()))
    assert GOOD not in visitor.open().page
    assert GOOD not in caplog.text


def test_a_double_click_adds_it_once(visitor):
    visitor.add(GOOD)
    visitor.add(GOOD)

    assert visitor.notice == "Your voucher was added."
    assert Redemption.objects.count() == 1
    assert covered() == Decimal("25.00")


@pytest.mark.parametrize(
    "typed", ["10", "10.00", " £10,00 ", "10 €", "10,00 zł", "GBP 10", "10 GBP"]
)
def test_only_a_part_of_a_voucher_is_used(visitor, typed):
    visitor.add(GOOD, amount=typed)

    assert "pays £10.00. £15.00 stays on it." in visitor.text


@pytest.mark.parametrize(
    "typed", ["£1,250.00", "1.250,00 £", "1,250", "1'250.00", "1 250,00", "1250.00 GBP"]
)
def test_a_part_is_read_as_the_shop_prints_amounts(visitor, typed):
    visitor.add(GOOD, amount=typed)

    assert visitor.notice == "Your voucher was added."
    assert Redemption.objects.get().amount_limit == Decimal("1250.00")


def test_an_amount_as_the_shop_prints_it_fits_into_its_field(visitor):
    visitor.add(GOOD, amount="5")

    lengths = re.findall(r'name="amount"[^>]* maxlength="(\d+)"', visitor.page)
    assert len(lengths) == 2
    assert all(int(one) >= len("£1,250.00 GBP") for one in lengths)


def test_the_part_is_changed_without_the_number(visitor):
    visitor.add(GOOD)

    visitor.send(CHANGE, amount="5")
    assert visitor.notice == "Your voucher was changed."
    assert covered() == Decimal("5.00")
    visitor.send(CHANGE, amount="")
    assert covered() == Decimal("25.00")


def test_change_without_a_change_keeps_the_limit(visitor):
    visitor.add(GOOD, amount="5")

    assert visitor.fields(CHANGE)["amount"] == "5.00"
    visitor.send(CHANGE)

    assert visitor.notice == "Your voucher was changed."
    assert Redemption.objects.get().amount_limit == Decimal("5.00")
    assert covered() == Decimal("5.00")
    # Nothing in it is the whole voucher, as it says.
    assert "Leave it empty to use all of the voucher." in visitor.text
    visitor.send(CHANGE, amount="")
    assert visitor.fields(CHANGE)["amount"] == ""
    assert covered() == Decimal("25.00")


@pytest.mark.parametrize("language", ["de", "fr", "pl"])
def test_the_limit_that_is_shown_can_be_sent_in_every_language(visitor, language):
    visitor.add(GOOD, amount="5.50")

    with translation.override(language):
        shown = floatformat(Redemption.objects.get().amount_limit, 2)
        assert shown == "5,50"
        assert read_amount(shown) == Decimal("5.50")


def test_a_voucher_is_removed_and_given_back(visitor, sandbox):
    visitor.add(GOOD)

    visitor.send(REMOVE)

    assert visitor.notice == "Your voucher was removed. Nothing was taken from it."
    assert "…0001" not in visitor.text
    assert sandbox.voucher(GOOD).hold is None
    assert covered() == Decimal("0.00")


def test_removing_twice_is_the_same(visitor):
    visitor.add(GOOD)
    fields = visitor.fields(REMOVE)
    visitor.send(REMOVE)

    response = visitor.client.post(REMOVE, fields)

    assert response.status_code == 303
    assert visitor.open().notice == (
        "Your voucher was removed. Nothing was taken from it."
    )


def test_several_vouchers_pay_in_order_until_nothing_is_left(visitor):
    visitor.add(GOOD)
    visitor.add(OTHER)
    visitor.add("GOOD-0050-0001")

    assert "Paid with vouchers £40.00" in visitor.text
    assert "pays £5.00. £45.00 stays on it." in visitor.text
    assert [action for action, *_ in Forms(visitor.page).forms].count(ADD) == 0


def test_experiences_are_chosen(visitor, configure):
    configure(EXPERIENCE_VALUE="tests.views.test_checkout.ten_pounds_each")
    visitor.add(TEA)
    assert covered() == Decimal("20.00")

    visitor.send(CHANGE, experiences=["8"])
    assert covered() == Decimal("10.00")
    assert Redemption.objects.get().experiences == [8]
    visitor.send(CHANGE, experiences=[])

    assert visitor.notice == "Choose at least one experience."
    assert covered() == Decimal("10.00")


def ten_pounds_each(session, voucher, bit_values):
    return Decimal(10) * len(bit_values)


@pytest.mark.parametrize(
    "number",
    [
        "NO-SUCH-NUMBER",
        "EXPIRED-0025-0001",
        "QUAY-0050-0001",
        "EMPTY-0000-0001",
        "x" * 200,
    ],
)
def test_every_number_that_cannot_be_used_gets_the_same_answer(visitor, number):
    visitor.add(number)

    assert visitor.notice.startswith("This voucher cannot be used here.")
    assert 'aria-invalid="true"' in visitor.page
    assert not re.search(r"<li", visitor.page)


def test_an_empty_number_says_what_to_do(visitor):
    visitor.add("   ")

    assert visitor.notice == "Enter the number on the voucher."


def test_an_amount_that_is_none_says_what_one_looks_like(visitor):
    visitor.add(GOOD, amount="all")

    assert "25.00" in visitor.notice
    # It is the amount that is wrong, and it is in sight.
    [wrong] = re.findall(r'<input[^>]*aria-invalid="true"[^>]*>', visitor.page)
    assert 'id="smartgift-vouchers-amount"' in wrong
    described = re.search(r'aria-describedby="([^"]*)"', wrong)[1].split()
    assert "smartgift-vouchers-notice" in described
    assert re.search(r'<details[^>]* id="smartgift-vouchers-part" open>', visitor.page)
    assert covered() == 0


def test_an_amount_that_is_none_is_shown_at_its_voucher(visitor):
    visitor.add(GOOD)
    visitor.add(OTHER)
    first, _second = Redemption.objects.order_by("pk")

    visitor.send(CHANGE, amount="all", redemption=str(first.pk))

    assert "25.00" in visitor.notice
    [wrong] = re.findall(r'<input[^>]*aria-invalid="true"[^>]*>', visitor.page)
    assert f'id="smartgift-vouchers-amount-{first.pk}"' in wrong
    assert visitor.page.count(" open>") == 1
    # Mended, nothing is wrong any more.
    visitor.send(CHANGE, amount="5", redemption=str(first.pk))
    assert "aria-invalid" not in visitor.page
    assert " open>" not in visitor.page


def test_a_voucher_in_use_elsewhere_says_until_when(visitor, sandbox):
    sandbox.hold_by_till(GOOD)

    visitor.add(GOOD)

    until = sandbox.voucher(GOOD).hold.until
    moment = datetime.fromtimestamp(until, tz=UTC)
    # The whole minute after it: whoever comes back then is not too early. Smart Gift
    # tells whole seconds that are left, so what is told may be some seconds more.
    assert visitor.notice in {
        f"This voucher is in use elsewhere until {whole_minute(later)}. Try again then, "
        "or pay another way."
        for later in (moment, moment + timedelta(seconds=10))
    }
    retry_at = Attributes(visitor.page, "data-retry-at").found["data-retry-at"]
    moment = datetime.fromisoformat(retry_at).timestamp()
    assert -1 < moment - until < 10
    assert covered() == 0


def test_what_a_camera_read_is_as_good_as_a_number(visitor, sandbox):
    visitor.add(f"https://gifts.example.org/voucher/{GOOD}?from=card")

    assert "Voucher …0001 pays £25.00." in visitor.text
    assert sandbox.voucher(GOOD).hold is not None


@pytest.mark.parametrize(
    ("number", "calls"),
    [
        ("NO-SUCH-NUMBER", ["hold"]),
        ("QUAY-0050-0001", ["hold"]),
        ("EXPIRED-0025-0001", ["hold"]),
        ("EMPTY-0000-0001", ["hold", "check", "release"]),
    ],
)
def test_the_time_that_a_refusal_takes_tells_nothing(
    visitor, sandbox, monkeypatch, number, calls
):
    monkeypatch.setattr(guessing, "REFUSED_AFTER", 0.8)
    sandbox.behaviour.update({"hold_spent_vouchers": True})
    fields = {**visitor.fields(ADD), "voucher_no": number}

    began = time.monotonic()
    visitor.client.post(ADD, fields)
    took = time.monotonic() - began

    assert [line.operation for line in sandbox.log()] == calls
    assert 0.8 <= took < 4
    assert visitor.open().notice.startswith("This voucher cannot be used here.")


@pytest.mark.parametrize(
    ("mode", "words"),
    [("rate_limited", "Vouchers are busy"), ("unauthorised", "cannot be reached")],
)
def test_a_server_that_does_not_serve_is_told_as_such(visitor, sandbox, mode, words):
    sandbox.faults.add(Fault("hold", mode, seconds=60, times=None))

    visitor.add(GOOD)

    assert words in visitor.notice
    assert "nothing was taken" in visitor.notice
    assert covered() == 0


def test_a_closed_payment_has_no_forms(visitor):
    visitor.add(GOOD)
    fields = visitor.fields(REMOVE)
    payments.confirm(reference="order-1")

    assert visitor.client.post(REMOVE, fields).status_code == 303
    assert visitor.open().notice.startswith("This payment can no longer be changed.")
    assert Forms(visitor.page).forms == []
    assert "pays £25.00" in visitor.text


def test_what_vouchers_may_not_pay_is_said(visitor):
    payments.open_session(
        reference="order-1", amount_due="40.00", amount_eligible="25.00"
    )

    visitor.open().add(GOOD)

    assert "What is left cannot be paid with vouchers." in visitor.text


def test_a_lapsed_hold_is_told(visitor):
    visitor.add(GOOD)
    Redemption.objects.update(status="lapsed", held_until=None)

    assert "It is asked for again when you pay." in visitor.open().text


# Whose form it is


# Keeping one for longer


@pytest.fixture
def later(sandbox, time_machine_now):
    """Return a function that moves our clock and Smart Gift's on."""

    def move(seconds):
        sandbox.clock.advance(seconds)
        time_machine_now.shift(seconds)

    return move


def calls(sandbox):
    return [line.operation for line in sandbox.log()]


def test_a_voucher_is_kept_for_longer(visitor, sandbox, later):
    visitor.add(GOOD)
    later(200)

    visitor.open().send(RENEW)

    assert visitor.notice == "Your voucher is kept for you."
    until = timezone.localtime(Redemption.objects.get().held_until)
    assert f"Kept for you until {until:%H:%M}." in visitor.text
    assert calls(sandbox) == ["hold", "check", "release", "hold", "check"]
    # Pressed again, it asks nothing.
    visitor.send(RENEW)
    assert visitor.notice == "Your voucher is kept for you."
    assert len(calls(sandbox)) == 5


def test_a_lapsed_voucher_is_kept_again(visitor, sandbox, later):
    visitor.add(GOOD)
    later(400)

    visitor.open()
    assert "No longer kept for you. It is asked for again when you pay." in visitor.text
    visitor.send(RENEW)

    assert "Kept for you until" in visitor.text
    assert sandbox.voucher(GOOD).hold is not None


def test_somebody_who_was_faster_is_told_of(visitor, sandbox, later):
    visitor.add(GOOD)
    later(400)
    sandbox.hold_by_till(GOOD)

    visitor.open().send(RENEW)

    assert re.match(
        r"Somebody else was faster: this voucher is in use elsewhere until \d\d:\d\d\. ",
        visitor.notice,
    )
    # It is about no number that was typed, and nothing is to be tried again by itself.
    assert 'aria-invalid="true"' not in visitor.page
    assert "data-retry-at" not in visitor.page
    assert "No longer kept for you." in visitor.text
    assert covered() == Decimal("25.00")


def test_our_own_hold_whose_answer_was_lost_is_nobody_elses(visitor, sandbox, later):
    visitor.add(GOOD)
    later(200)
    sandbox.faults.add(Fault("hold", "lost_after", times=1))

    visitor.open().send(RENEW)

    ends = Redemption.objects.get().held_until
    until = whole_minute(ends)
    told = re.fullmatch(
        r"We got no answer, so this voucher is most likely kept for you until "
        r"(\d\d:\d\d)\. Try again then; nothing was taken\.",
        visitor.notice,
    )
    # The whole minute after it, so that nobody comes back too early.
    assert told[1] >= until or told[1] == "00:00"
    assert f"is most likely kept for you until {until}. Try again then." in visitor.text
    assert "is being checked" not in visitor.text
    assert "omebody else" not in visitor.text
    assert Redemption.objects.get().status == "holding"
    assert sandbox.voucher(GOOD).hold is not None

    # Who pays in the meantime is told the same, and it pays when that is over.
    with pytest.raises(PaymentError) as error:
        payments.prepare(reference="order-1")
    assert (error.value.code, error.value.is_ours) == ("voucher_held", True)
    assert error.value.retry_after > 290
    assert "most likely kept for you" in error.value.advice
    later(310)
    assert payments.prepare(reference="order-1").redemptions[0].status == "held"


def test_what_was_spent_meanwhile_is_told(visitor, sandbox, later):
    visitor.add(GOOD)
    later(400)
    sandbox.spend_by_till(GOOD, "15.00")

    visitor.open().send(RENEW)

    assert visitor.notice.startswith(
        "Your voucher is kept for you, but it holds less than before."
    )
    assert "pays £10.00. £0.00 stays on it." in visitor.text
    assert "Left to pay £30.00" in visitor.text


def test_what_another_voucher_makes_up_for_is_told_too(visitor, sandbox, later):
    visitor.add(GOOD)
    visitor.add("GOOD-0100-0001")
    later(400)
    sandbox.spend_by_till(GOOD, "15.00")

    visitor.open().send(RENEW)

    # Nothing more is left to pay, but more is taken from the other one.
    assert covered() == Decimal("40.00")
    assert visitor.notice.startswith(
        "Your voucher is kept for you, but it holds less than before."
    )


def test_one_that_was_emptied_meanwhile_is_told(visitor, sandbox, later):
    visitor.add(GOOD)
    later(400)
    sandbox.spend_by_till(GOOD, "25.00")

    visitor.open().send(RENEW)

    assert visitor.notice.startswith("This voucher can no longer be used.")
    assert "pays nothing." in visitor.text
    assert "Left to pay £40.00" in visitor.text


def test_what_pays_nothing_has_no_button_to_keep_it(visitor):
    visitor.add(GOOD)
    payments.open_session(reference="order-1", amount_due="45.00")
    visitor.open().add(OTHER)
    payments.open_session(reference="order-1", amount_due="20.00")

    visitor.open()

    assert visitor.page.count(f'action="{RENEW}"') == 1


def test_a_payment_that_is_over_keeps_nothing(visitor, sandbox, later):
    visitor.add(GOOD)
    later(200)
    fields = visitor.open().fields(RENEW)
    payments.confirm(reference="order-1")
    asked = calls(sandbox)

    assert visitor.client.post(RENEW, fields).status_code == 303

    assert visitor.open().notice.startswith("This payment can no longer be changed.")
    assert calls(sandbox) == asked


def test_a_form_works_without_a_login(visitor, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    response = visitor.client.post(ADD, {**visitor.fields(ADD), "voucher_no": GOOD})

    assert response.status_code == 303
    assert response["Location"] == "/pay/order-1/#smartgift-vouchers"
    assert covered() == Decimal("25.00")


def test_a_form_from_elsewhere_is_refused(visitor):
    fields = visitor.fields(ADD)
    del fields["csrfmiddlewaretoken"]

    assert visitor.client.post(ADD, {**fields, "voucher_no": GOOD}).status_code == 403
    assert covered() == 0


@pytest.mark.parametrize(
    "token",
    [
        "",
        "order-1",
        signing.dumps("order-1"),
        signing.dumps("order-1", salt="elsewhere"),
    ],
    ids=["empty", "unsigned", "signed for anything", "signed for another purpose"],
)
def test_a_forged_session_is_refused(visitor, token):
    response = visitor.client.post(
        ADD, {**visitor.fields(ADD), "session": token, "voucher_no": GOOD}
    )

    assert response.status_code == 400
    assert covered() == 0


def test_a_page_that_was_open_too_long_is_told_so(visitor, configure):
    fields = visitor.fields(ADD)

    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)):
        response = visitor.client.post(ADD, {**fields, "voucher_no": GOOD})

    assert response.status_code == 303
    assert covered() == 0
    assert "open for too long" in visitor.open().notice


def test_one_page_cannot_touch_the_vouchers_of_another_payment(visitor):
    payments.open_session(reference="order-2", amount_due="40.00")
    theirs = payments.add_voucher(reference="order-2", voucher_no=OTHER)
    visitor.add(GOOD)

    visitor.send(REMOVE, redemption=str(theirs.redemptions[0].id))

    assert visitor.notice == "This voucher is no longer part of the payment."
    assert payments.get_session(reference="order-2").amount_covered == 10


def test_a_notice_waits_for_the_payment_that_it_is_about(visitor):
    payments.open_session(reference="order-2", amount_due="40.00")
    visitor.client.post(ADD, {**visitor.fields(ADD), "voucher_no": GOOD})

    assert visitor.open("/pay/order-2/").notice is None
    assert visitor.open().notice == "Your voucher was added."


@pytest.mark.parametrize(
    "target",
    ["", "https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil"],
)
def test_the_way_back_leads_to_this_host(visitor, target):
    response = visitor.client.post(
        ADD, {**visitor.fields(ADD), "next": target, "voucher_no": GOOD}
    )

    assert response["Location"] == "/#smartgift-vouchers"


def test_a_redemption_that_is_none_is_not_found(visitor):
    visitor.add(GOOD)

    visitor.send(REMOVE, redemption="1' OR 1=1")

    assert visitor.notice == "This voucher is no longer part of the payment."


@pytest.mark.parametrize("address", [ADD, CHANGE, REMOVE])
def test_the_addresses_take_forms_alone_and_are_not_cached(visitor, address):
    response = visitor.client.get(address)

    assert response.status_code == 405
    assert "no-store" in response["Cache-Control"]
    assert response.resolver_match.func._non_atomic_requests == {"default"}


def test_a_host_without_sessions_loses_the_notice_alone(rf, session):
    request = rf.get("/")

    voucher_field.leave_notice(request, "order-1", "added")
    voucher_field.leave_refusal(
        request, "order-1", PaymentError("busy"), wanted=voucher_field.ADDED
    )

    assert voucher_field.take_notice(request, "order-1") is None


# Caches


@pytest.fixture
def cached_site(settings):
    """A host that caches its whole site, as Django's documentation says."""
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    cache.clear()


@pytest.mark.parametrize("cookies", [{}, {"consent": "yes"}], ids=["none", "the same"])
def test_two_visitors_never_share_a_page_with_vouchers(session, cached_site, cookies):
    def get(address):
        client = Client()
        client.cookies.load(cookies)
        return client.get(address)

    # The cache is at work.
    assert get("/news/").content == get("/news/").content

    payments.add_voucher(reference="order-1", voucher_no=GOOD)
    # Without forms, so without Django's own cookie, which keeps some pages out.
    payments.cancel(reference="order-1")
    for address in ("/pay/order-1/", "/order/order-1/"):
        first, second = get(address), get(address)
        assert first.status_code == 200
        assert not first.cookies
        assert not first.has_header("Expires")
        assert not second.has_header("Age")
        assert get_cache_key(first.wsgi_request) is None


# Accessibility, as far as markup alone tells


def test_every_field_has_a_label_and_every_id_is_its_own(visitor):
    visitor.add(GOOD, amount="5")
    visitor.add(OTHER, amount="5")

    ids = re.findall(r' id="([^"]+)"', visitor.page)
    labelled = set(re.findall(r'<label for="([^"]+)"', visitor.page))
    inputs = re.findall(r"<input [^>]*>", visitor.page)
    visible = [tag for tag in inputs if 'type="hidden"' not in tag]
    assert len(ids) == len(set(ids))
    described = re.findall(r'aria-describedby="([^"]+)"', visitor.page)
    assert {one for several in described for one in several.split()} <= set(ids)
    # The number, and how much of it and of each of the two.
    assert len(described) == 4
    assert visitor.text.count("Leave it empty to use all of the voucher.") == 3
    assert {re.search(r'id="([^"]+)"', tag)[1] for tag in visible} <= labelled
    # To keep, to remove and to change each of them, and to add another one.
    assert visitor.page.count("<button") == 7
    assert "style=" not in visitor.page
    # One script, of a file: a policy without 'unsafe-inline' lets it in.
    assert re.findall(r"<script[^>]*>[^<]*", visitor.page) == [
        '<script type="module" src="/static/wagtail_smartgift/voucher-field.js">'
    ]
    assert not re.search(r" on\w+=", visitor.page)


# What the script is told


def test_the_page_tells_the_script_what_the_server_knows(visitor):
    visitor.add(GOOD)

    attributes = Attributes(visitor.page, "data-smartgift-field").found
    held = Attributes(visitor.page, "data-held-until").found
    now = datetime.fromisoformat(attributes["data-now"])
    until = datetime.fromisoformat(held["data-held-until"])
    assert timedelta(minutes=4) < until - now <= timedelta(minutes=5)
    assert held["data-voucher"] == "…0001"
    assert attributes["data-amount-covered"] == "25.00"
    assert attributes["data-amount-remaining"] == "15.00"
    assert (attributes["data-status"], attributes["data-notice"]) == ("open", "good")
    words = {name: text for name, text in attributes.items() if "word" in name}
    assert "{time}" in words["data-word-left"]
    assert "{voucher}" in words["data-word-minute"]
    assert "{voucher}" in words["data-word-lapsed"]
    assert words["data-word-offline"]
    assert words["data-word-wait"]
    # No secret is made for the page: the signed word of the forms is enough.
    assert "sgs_" not in visitor.page
    # The one that opening the payment made, and none for a page.
    assert SessionSecret.objects.count() == 1


def test_a_refusal_is_told_too(visitor):
    visitor.add("NO-SUCH-NUMBER")

    found = Attributes(visitor.page, "data-smartgift-field").found
    assert found["data-notice"] == "bad"
    assert Attributes(visitor.open().page, "data-notice").found["data-notice"] == ""


def test_a_hold_that_has_ended_is_not_said_to_last(visitor):
    """Before anybody has met it: the row still says ``held``."""
    visitor.add(GOOD)
    Redemption.objects.update(held_until=timezone.now())

    visitor.open()

    assert Redemption.objects.get().status == "held"
    assert "Kept for you until" not in visitor.text
    assert "data-held-until" not in visitor.page
    assert "It is asked for again when you pay." in visitor.text


def test_a_template_without_a_request_is_told_what_it_needs(session):
    template = engines["django"].from_string(
        "{% load smartgift %}{% voucher_field session %}"
    )

    with pytest.raises(ImproperlyConfigured, match="context_processors.request"):
        template.render({"session": session})


@pytest.mark.parametrize("way", ["context", "request"])
def test_a_policy_with_nonces_gets_its_nonce(rf, session, way):
    request = rf.get("/")
    context = {"session": session}
    if way == "context":
        context["csp_nonce"] = "only-once"
    else:
        request.csp_nonce = "only-once"
    template = engines["django"].from_string(
        "{% load smartgift %}{% voucher_field session %}"
    )

    page = template.render(context, request)

    assert 'voucher-field.js" nonce="only-once"></script>' in page

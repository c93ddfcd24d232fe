"""Smart Gift is away: pages go on, vouchers say that they are paused, cards are taken."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.api.conftest import SERVER_KEY, Api
from tests.factories import make_index, make_product, make_site, make_voucher_page
from tests.views.test_checkout import ADD, REMOVE, RENEW, Visitor
from wagtail_smartgift import payments, sales, voucher_field
from wagtail_smartgift.budget.breaker import PAUSE, THRESHOLD
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    CallBudget,
    CatalogueSync,
    KeyCheck,
    PaymentSession,
    VoucherOrder,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, reconciliation


pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.views.checkout_urls")]
GOOD = "GOOD-0025-0001"
#: The form in which a number is entered.
FORM = f'action="{ADD}"'
ORDER = {
    "items": [{"product": 37, "price": "50.00"}],
    "customer": {
        "first_name": "John",
        "last_name": "Smith",
        "email": "john@example.org",
        "address1": "1 Mill Lane",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": "1", "price": "0.00"},
}


@pytest.fixture
def counted(sandbox, configure):
    """With a quota, and so with a breaker."""
    configure(RATE_LIMIT=60)
    sandbox.behaviour.rate_limit = 60
    return sandbox


@pytest.fixture
def session(counted):
    return payments.open_session(reference="order-1", amount_due="40.00")


@pytest.fixture
def down(counted):
    """An outage that has opened the breaker, by real calls that nobody answered."""

    def stop():
        counted.faults.add(Fault("*", "lost_before", times=None))
        stranger = Api(None)
        for _call in range(THRESHOLD):
            stranger.post("balance", {"voucher_no": GOOD})

    return stop


def over():
    """The pause of the breaker is over."""
    CallBudget.objects.update(probed_at=time.time() - PAUSE - 1)


def test_the_field_says_why_it_is_paused_and_takes_no_number(session, down, sandbox):
    visitor = Visitor().open()
    down()
    calls = len(sandbox.log())

    visitor.open()

    assert "because they cannot be checked" in visitor.text
    assert "pay another way now" in visitor.text
    assert FORM not in visitor.page
    assert 'role="status"' in visitor.page
    # Nobody was asked.
    assert len(sandbox.log()) == calls


def test_it_takes_one_again_when_smart_gift_answers(session, down, sandbox):
    down()
    sandbox.faults.clear()
    over()

    visitor = Visitor().open().add(GOOD)

    assert visitor.notice == "Your voucher was added."
    assert "paused" not in visitor.page
    assert payments.get_session(reference="order-1").amount_covered == 25


def test_a_voucher_can_be_taken_out_to_pay_by_card(session, down, sandbox):
    visitor = Visitor().open().add(GOOD)
    assert f'action="{RENEW}"' in visitor.page
    down()

    visitor.open()
    assert "remove your vouchers first" in visitor.text
    # Nobody can keep it for longer now, so that is not promised.
    assert f'action="{RENEW}"' not in visitor.page
    visitor.send(REMOVE)

    assert visitor.notice == "Your voucher was removed. Nothing was taken from it."
    assert "remove your vouchers first" not in visitor.text
    state = payments.prepare(reference="order-1")
    assert state.amount_remaining == 40
    # The card is authorised; nothing of it asks Smart Gift.
    calls = len(sandbox.log())
    confirmed = payments.confirm(reference="order-1", amount_remaining="40.00")
    assert confirmed.status == "confirmed"
    assert len(sandbox.log()) == calls


def test_a_form_that_was_open_already_is_refused_without_a_call(session, down, sandbox):
    visitor = Visitor().open()
    down()
    calls = len(sandbox.log())

    visitor.add(GOOD)

    assert "nothing was taken" in visitor.notice
    assert len(sandbox.log()) == calls
    assert payments.get_session(reference="order-1").redemptions == ()


def test_a_full_quota_is_another_reason(session, counted):
    payments.add_voucher(reference="order-1", voucher_no=GOOD)
    CallBudget.objects.update(blocked_until=time.time() + 30)

    visitor = Visitor().open()

    assert "many customers use them right now" in visitor.text
    assert FORM not in visitor.page
    CallBudget.objects.update(blocked_until=time.time() + 1)
    assert FORM in visitor.open().page


@pytest.mark.parametrize("why", ["another account", "another fingerprint key", "gone"])
def test_settings_that_do_not_fit_pause_it_too(session, counted, why):
    if why == "another account":
        PaymentSession.objects.update(account_key_hash="of another")
    elif why == "gone":
        PaymentSession.objects.update(account="closed")
    else:
        KeyCheck.objects.create(purpose="fingerprint", check_value="of another key")

    pause = voucher_field.pause_of(session)

    assert pause is not None
    assert pause.code == "smartgift_unavailable"
    assert "because they cannot be checked" in Visitor().open().text


def test_a_payment_that_is_over_is_not_paused(session, counted, down):
    payments.confirm(reference="order-1")
    down()

    assert "cannot be added" not in Visitor().open().text


def test_the_json_api_says_when_to_come_back(session, down, sandbox):
    server = Api(SERVER_KEY)
    body = {"reference": "order-1", "amount_due": "40.00"}
    secret = server.post("server/payment-sessions", body).json()["client_secret"]
    down()
    calls = len(sandbox.log())

    answer = Api(secret).post("payment-session/redemptions", {"voucher_no": GOOD})

    assert answer.status_code == 503
    assert answer.json()["code"] == "smartgift_unavailable"
    assert 1 <= int(answer["Retry-After"]) <= PAUSE
    assert len(sandbox.log()) == calls
    # What asks nobody goes on.
    assert server.post("server/payment-sessions/order-1/prepare").status_code == 200
    assert server.post("server/payment-sessions/order-1/confirm").status_code == 200


# -- selling ----------------------------------------------------------------------------


def test_a_sale_is_queued_and_the_buyer_can_be_told(counted, down, time_machine_now):
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    down()
    calls = len(counted.log())

    answer = Api(SERVER_KEY).post("server/voucher-orders", {"reference": "a", **ORDER})

    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert answer.json()["code"] == "smartgift_unavailable"
    assert answer.json()["items"][0]["voucher_no"] is None
    assert len(counted.log()) == calls
    # It is placed by itself when Smart Gift answers again.
    counted.faults.clear()
    over()
    time_machine_now.shift(60)
    counted.clock.advance(60)
    reconciliation.reconcile()
    assert VoucherOrder.objects.get().status == "placed"
    assert sales.get_order(reference="a").items[0].voucher_no


# -- the catalogue and its age ------------------------------------------------------------


@pytest.fixture
def pages(counted):
    site = make_site()
    index = make_index(site)
    product = make_product(37)
    make_voucher_page(index, product)
    CatalogueSync.objects.create(
        account="default", synced_at=timezone.now() - timedelta(hours=7)
    )
    return index


def test_pages_go_on_from_the_database(pages, down):
    down()
    calls = CallBudget.objects.get().used
    client = Client()

    index = client.get("/gift-vouchers/")
    voucher = client.get("/gift-vouchers/dressed-37/")

    assert index.status_code == voucher.status_code == 200
    assert "Price and availability as of" in voucher.text
    assert CallBudget.objects.get().used == calls


def test_a_fresh_catalogue_needs_no_word(pages):
    CatalogueSync.objects.update(synced_at=timezone.now() - timedelta(hours=1))

    assert "as of" not in Client().get("/gift-vouchers/dressed-37/").text


def test_the_api_tells_the_age_of_the_catalogue(pages):
    answer = Api(None).get("vouchers")
    assert 7 * 3600 <= int(answer["Age"]) < 7 * 3600 + 60

    again = Api(None).get("vouchers", **{"If-None-Match": answer["ETag"]})
    assert (again.status_code, again["Age"] != "") == (304, True)


def test_a_catalogue_that_was_never_read_has_no_age(counted):
    assert "Age" not in Api(None).get("vouchers")


def test_staff_see_how_old_it_is(pages, admin_client):
    page = admin_client.get("/admin/smartgift/vouchers/")
    assert "default: read 7\u00a0hours ago" in page.text

    CatalogueSync.objects.all().delete()
    assert "default: never read" in admin_client.get("/admin/smartgift/vouchers/").text


def test_health_tells_of_it(pages, down):
    checks = Api(None).get("health").json()["checks"]
    assert checks["catalogue"]["status"] == "degraded"
    assert checks["smartgift"]["status"] == "ok"

    down()

    answer = Api(None).get("health")
    assert answer.status_code == 200
    assert answer.json()["checks"]["smartgift"]["status"] == "degraded"


def test_prepare_tells_it_too(session, down):
    payments.add_voucher(reference="order-1", voucher_no=GOOD)
    down()

    with pytest.raises(PaymentError) as refused:
        payments.prepare(reference="order-1")

    assert refused.value.code in {"busy", "smartgift_unavailable"}
    assert payments.get_session(reference="order-1").amount_covered == 25

"""Personal data in the admin: looking, downloading, erasing; and what must not leak."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests.services.test_forgetting import everything, order_row, session_row
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.models import PrivacyEvent, VoucherOrder
from wagtail_smartgift.services import privacy


pytestmark = pytest.mark.django_db

INDEX, EXPORT, ERASE = (
    reverse(f"smartgift_privacy:{name}") for name in ("index", "export", "erase")
)
PRIVACY = "privacy_voucherorder"
JOHN = "john@example.org"


@pytest.fixture
def rows(db):
    order_row("order-1", days=1)
    session_row("order-2", days=1)


def text(answer, status=200):
    assert answer.status_code == status
    return " ".join(answer.content.decode().split())


def test_it_tells_how_much_there_is(rows, staff):
    client = staff(PRIVACY)

    asked = text(client.get(INDEX))
    page = text(client.post(INDEX, {"email": " John@EXAMPLE.org"}))

    assert "What was found" not in asked
    assert "<dt>Voucher orders</dt> <dd>1</dd>" in page
    assert "<dt>Payments</dt> <dd>1</dd>" in page
    assert ERASE in page
    # How much there is, and not what.
    assert "Smith" not in page
    assert not PrivacyEvent.objects.exists()


@pytest.mark.parametrize(
    ("email", "says"),
    [
        ("nobody@example.org", "Nothing is known here of this address."),
        ("nobody", "This is not an e-mail address."),
        ("", "This field is required."),
    ],
)
def test_what_there_is_nothing_about(rows, staff, email, says):
    client = staff(PRIVACY)

    page = text(client.post(INDEX, {"email": email}))

    assert says in page
    assert ERASE not in page
    for address in (EXPORT, ERASE):
        if email != "nobody@example.org":
            assert says in text(client.post(address, {"email": email}))


def test_all_of_it_is_downloaded(rows, staff):
    answer = staff(PRIVACY).post(EXPORT, {"email": JOHN})

    document = json.loads(answer.content)
    assert document["orders"][0]["customer"]["last_name"] == "Smith"
    assert document["payments"][0]["metadata"] == {"email": JOHN}
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"].startswith('attachment; filename="customer-')
    assert "john" not in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    assert PrivacyEvent.objects.get().actor == "miller"


def test_nothing_is_erased_unless_it_is_confirmed(rows, staff):
    client = staff(PRIVACY)
    before = everything()

    asked = text(client.post(ERASE, {"email": JOHN}))

    assert "Yes, erase all of it" in asked
    assert everything() == before
    assert not PrivacyEvent.objects.exists()

    done = client.post(ERASE, {"email": JOHN, "confirmed": "yes"}, follow=True)

    assert done.redirect_chain == [(INDEX, 302)]
    page = text(done)
    assert "The customer was erased. Orders: 1. Payments: 1. Messages: 0." in page
    assert JOHN not in page
    assert privacy.find(JOHN).is_nothing
    assert VoucherOrder.objects.get().customer == {}
    entry = ModelLogEntry.objects.get(action=privacy.ERASE_ACTION)
    assert entry.user.get_username() == "miller"
    assert entry.message == "Erased a customer's personal data"
    assert "john" not in f"{entry.label}{entry.data}".lower()


def test_what_waits_is_said_before_and_after(rows, staff):
    VoucherOrder.objects.update(status=OrderStatus.NEEDS_ATTENTION)
    client = staff(PRIVACY)

    asked = text(client.post(ERASE, {"email": JOHN}))
    done = client.post(ERASE, {"email": JOHN, "confirmed": "yes"}, follow=True)

    assert "1 not settled yet" in asked
    assert "1 is not settled yet. It is erased once it is." in text(done)
    assert VoucherOrder.objects.get().customer


def test_it_tells_what_was_done_before(rows, staff):
    client = staff(PRIVACY)
    client.post(EXPORT, {"email": JOHN})
    client.post(ERASE, {"email": JOHN, "confirmed": "yes"})

    page = text(client.post(INDEX, {"email": JOHN}))

    assert "What was done before" in page
    assert page.index("<td>Exported</td>") < page.index("<td>Erased</td>")
    assert "Nothing is known here of this address." in page
    assert "What was done before" not in text(
        client.post(INDEX, {"email": "mary@example.org"})
    )


def test_no_address_of_ours_takes_an_e_mail_address(rows, staff):
    client = staff(PRIVACY)

    page = text(client.get(INDEX, {"email": JOHN}))

    assert "What was found" not in page
    assert client.get(EXPORT, {"email": JOHN}).status_code == 405
    assert client.get(ERASE, {"email": JOHN}).status_code == 405


@pytest.mark.parametrize(
    "codenames", [(), ("view_voucherorder", "settle_paymentsession")]
)
def test_who_may_not(rows, staff, codenames):
    client = staff(*codenames)
    before = everything()

    for address in (INDEX, EXPORT, ERASE):
        answer = client.post(address, {"email": JOHN, "confirmed": "yes"})
        assert (answer.status_code, answer.url) == (302, reverse("wagtailadmin_home"))

    assert everything() == before
    assert not PrivacyEvent.objects.exists()


def test_a_form_of_elsewhere_does_nothing(rows, admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    for address in (INDEX, EXPORT, ERASE):
        answer = client.post(address, {"email": JOHN, "confirmed": "yes"})
        assert answer.status_code == 403
    assert not privacy.find(JOHN).is_nothing


def test_a_host_with_atomic_requests(rows, staff, monkeypatch):
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    staff(PRIVACY).post(ERASE, {"email": JOHN, "confirmed": "yes"})

    assert privacy.find(JOHN).is_nothing


def test_an_address_is_text_and_no_markup(rows, staff):
    page = text(staff(PRIVACY).post(INDEX, {"email": '"><script>@example.org'}))

    assert "<script>@" not in page

"""The page that tells what is left on a voucher."""

import re
from html import unescape

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.factories import make_site
from wagtail_smartgift.models import GuessCounter
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.views.balance import check_balance


pytestmark = pytest.mark.django_db

URL = reverse("wagtail_smartgift:balance")
NUMBER = "GOOD-0050-0001"


@pytest.fixture(autouse=True)
def site():
    cache.clear()
    return make_site()


def check(client, number=NUMBER, **more):
    return client.post(URL, {"voucher_no": number}, **more)


def text_of(response):
    html = response.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def calls(sandbox):
    return len(sandbox.log())


def is_nobody_elses(response):
    return (
        "no-store" in response.headers["Cache-Control"]
        and response.headers["X-Robots-Tag"] == "noindex"
    )


def test_the_form_asks_for_a_number(client, sandbox):
    response = client.get(URL)

    assert response.status_code == 200
    html = response.content.decode()
    assert f'<form class="smartgift-form" method="post" action="{URL}">' in html
    assert 'autocomplete="off"' in html
    assert 'dir="ltr"' in html
    assert 'aria-describedby="smartgift-balance-help"' in html
    assert 'id="smartgift-balance-help"' in html
    assert "or the link of its QR code." in html
    assert is_nobody_elses(response)
    assert calls(sandbox) == 0


def test_money_is_told_and_the_number_is_not(client, sandbox):
    response = check(client, f" {NUMBER[:4]} {NUMBER[4:]} ")

    assert response.status_code == 200
    assert "There is £50.00 left on your voucher." in text_of(response)
    assert NUMBER not in response.content.decode()
    assert is_nobody_elses(response)
    assert not client.session.keys()


def test_a_scanned_link_is_as_good_as_its_number(client, sandbox):
    response = check(client, f"https://gifts.example.org/v/{NUMBER}?from=card")

    assert "There is £50.00 left on your voucher." in text_of(response)
    assert NUMBER not in response.content.decode()


def test_experiences_are_named(client, sandbox):
    said = text_of(check(client, "TEA-0002-0001"))

    assert "Your voucher is good for: Afternoon tea" in said


def test_a_voucher_in_use_says_until_when(client, sandbox):
    said = text_of(check(client, "HELD-0050-0001"))

    assert "There is £50.00 left" in said
    assert re.search(r"being used for a payment until \d\d:\d\d", said)


def test_what_cannot_be_used_has_one_answer(client, sandbox):
    answers = {
        text_of(check(client, number))
        for number in ("NOBODYS-1", "EMPTY-0000-0001", "EXPIRED-0025-0001")
    }

    [said] = answers
    assert "There is nothing to be used here" in said
    response = check(client, "NOBODYS-1")
    html = response.content.decode()
    assert response.status_code == 200
    assert 'aria-describedby="smartgift-balance-help smartgift-balance-refused"' in html
    assert 'aria-invalid="true"' in html
    assert "NOBODYS-1" not in html


def test_nothing_typed_asks_again_and_nobody_else(client, sandbox):
    response = check(client, " ")

    assert "Enter the number" in text_of(response)
    assert calls(sandbox) == 0
    assert not GuessCounter.objects.exists()


def test_guessing_is_stopped_by_the_rules_of_the_api(client, sandbox, configure):
    configure(THROTTLES={"BALANCE_FAILURES": 2})
    for number in ("NOBODYS-1", "NOBODYS-2"):
        check(client, number)
    asked = calls(sandbox)

    response = check(client)

    assert response.status_code == 429
    assert "too many attempts" in text_of(response)
    assert "50.00" not in text_of(response)
    assert int(response.headers["Retry-After"]) > 1
    assert is_nobody_elses(response)
    assert calls(sandbox) == asked
    # The API counts the same guesses, and others are not kept from theirs.
    api = reverse("wagtail_smartgift:balance").replace("balance/", "api/balance")
    refused = client.post(api, {"voucher_no": NUMBER}, "application/json")
    assert refused.status_code == 429
    assert "£50.00" in text_of(check(client, REMOTE_ADDR="198.51.100.7"))


def test_smart_gift_that_is_away_is_nobodys_guess(client, sandbox):
    sandbox.faults.add(Fault("check", "lost_before"))

    response = check(client)

    assert response.status_code == 503
    assert "cannot be looked at" in text_of(response)
    assert "Retry-After" in response.headers
    assert "£50.00" in text_of(check(client))


def test_a_number_in_the_address_is_not_looked_at(client, sandbox):
    response = client.get(URL, {"voucher_no": NUMBER})

    assert "50.00" not in text_of(response)
    assert NUMBER not in response.content.decode()
    assert calls(sandbox) == 0


def test_another_site_cannot_ask_in_a_visitors_name(sandbox):
    response = check(Client(enforce_csrf_checks=True))

    assert response.status_code == 403
    assert calls(sandbox) == 0
    assert not GuessCounter.objects.exists()


def test_an_error_page_does_not_show_the_number(client, sandbox, settings, monkeypatch):
    settings.DEBUG = True
    client.raise_request_exception = False

    def fails(*values):
        raise RuntimeError("an error of ours")

    monkeypatch.setattr("wagtail_smartgift.services.balance._ask", fails)

    response = check(client)

    assert response.status_code == 500
    html = response.content.decode()
    assert "an error of ours" in html
    assert NUMBER not in html


def test_other_methods_are_refused(client):
    assert client.put(URL).status_code == 405


def test_the_script_has_the_nonce_of_the_policy_and_waits_for_nothing(rf):
    request = rf.get("/smartgift/balance/")
    request.csp_nonce = "only-once"

    page = check_balance(request).render().content.decode()

    head, _, _body = page.partition("</head>")
    [script] = re.findall(r"<script[^>]*balance\.js[^>]*>", head)
    assert script.endswith('balance.js" nonce="only-once">')
    assert not re.search(r"\b(?:type|defer|async)\b", script)

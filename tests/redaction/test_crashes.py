"""What Django tells of a crash, on its debug page and in its mails, names no secret.

The crash is made in our own functions while they have a secret at hand: in the middle of
storing a number, and with the request on the wire.
"""

import sys
from collections.abc import Callable
from html import unescape
from typing import Any

import django
import pytest
from django.test import Client
from django.views.debug import ExceptionReporter

from wagtail_smartgift import payments
from wagtail_smartgift.client._transport import Transport
from wagtail_smartgift.redaction import Secret, SecretBytes, hidden, hidden_object
from wagtail_smartgift.services import answers, counters, journal, opening

from .shop import KEYS, NUMBER, OTHER, SERVER_KEY, Shop
from .test_redaction import shop  # noqa: F401 - the fixture


pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.views.checkout_urls")]


class Crash(Exception):
    """Something that nobody foresaw."""


def crash(*_arguments: Any, **_values: Any) -> Any:
    raise Crash


#: Where it goes wrong: (of what, the function, what is at hand there).
PLACES = {
    "storing": (journal, "append"),
    "on the wire": (Transport, "exchange"),
    "counting": (counters, "count"),
}


@pytest.mark.parametrize("debug", [False, True], ids=["production", "DEBUG"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("door", ["json", "form"])
def test_the_page_of_a_crash_names_nothing(
    shop: Shop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    place: str,
    door: str,
    debug: bool,
) -> None:
    settings.DEBUG = debug
    staff = "staff@example.org"
    settings.ADMINS = [staff if django.VERSION >= (6,) else ("Staff", staff)]
    opened = payments.open_session(reference="order-1", amount_due="80.00")
    client = Client(raise_request_exception=False)
    page = client.get("/pay/order-1/").text
    token = page.partition('name="session" value="')[2].partition('"')[0]
    where, name = PLACES[place]
    monkeypatch.setattr(where, name, crash)

    if door == "json":
        answer = client.post(
            "/smartgift/api/payment-session/redemptions",
            {"voucher_no": NUMBER},
            content_type="application/json",
            headers={"Authorization": f"Bearer {opened.client_secret}"},
        )
    else:
        answer = client.post(
            "/smartgift/payment/vouchers/", {"session": token, "voucher_no": NUMBER}
        )

    assert answer.status_code == 500
    if debug:
        assert "Crash" in answer.text
        # Ninja shows no variables; Django's page does, behind asterisks.
        assert ("*" * 20 in answer.text) is (door == "form")
    shop.watch.look("answer: a crash", unescape(answer.text))
    shop.watch.check()


def report(run: Callable[[], Any]) -> str:
    """Return what Django mails to the admins about a crash in ``run``."""
    try:
        run()
    except Crash:
        reporter = ExceptionReporter(None, *sys.exc_info())
        return reporter.get_traceback_html() + reporter.get_traceback_text()
    raise AssertionError("it did not crash")


@pytest.mark.parametrize("debug", [False, True], ids=["production", "DEBUG"])
@pytest.mark.parametrize("place", PLACES)
def test_a_report_from_a_shops_own_python_names_nothing(
    shop: Shop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    place: str,
    debug: bool,
) -> None:
    settings.DEBUG = debug
    payments.open_session(reference="order-1", amount_due="80.00")
    where, name = PLACES[place]
    monkeypatch.setattr(where, name, crash)

    shown = report(lambda: payments.add_voucher(reference="order-1", voucher_no=NUMBER))

    assert "Crash" in shown
    # The variables are there, and say nothing.
    assert "&lt;secret&gt;" in shown
    shop.watch.look("exception: a report", unescape(shown))
    shop.watch.check()


def test_a_report_of_credentials_names_nothing(
    shop: Shop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "_insert", crash)
    shown = report(
        lambda: answers.claim(caller=SERVER_KEY, path="/", key="a", body=OTHER.encode())
    )
    monkeypatch.setattr(opening, "_digest", crash)
    shown += report(lambda: opening.session_for_secret("sgs_" + "x" * 43))

    shop.watch.look("exception: a report", unescape(shown))
    shop.watch.check()


# -- the text that hides ------------------------------------------------------------------


def test_a_secret_is_a_text_like_any_other() -> None:
    secret = Secret(NUMBER)

    assert secret == NUMBER
    assert f"{secret}" == str(secret) == NUMBER
    assert secret.encode() == NUMBER.encode()
    assert hash(secret) == hash(NUMBER)
    assert repr(secret) == secret.__sentry_repr__() == "<secret>"
    assert repr({"a": [secret]}) == "{'a': [<secret>]}"
    assert "ZEBRA" not in repr(SecretBytes(NUMBER.encode()))


def test_hiding_goes_all_the_way_down() -> None:
    whole = {"a": [NUMBER, {"b": (NUMBER.encode(), 5, None)}], "c": KEYS}

    assert NUMBER not in repr(hidden(whole))
    assert hidden(whole)["a"][1]["b"][1:] == [5, None]


def test_what_is_nested_is_hidden_once() -> None:
    inner = hidden_object({"b": NUMBER})
    whole = hidden_object({"a": [[inner, NUMBER]], "c": inner})

    assert whole["a"][0][0] is whole["c"] is inner
    assert NUMBER not in repr(whole)

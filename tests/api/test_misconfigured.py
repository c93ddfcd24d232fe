"""A shop whose settings do not work: 503, as documented, and never a page of Django's."""

import logging

import pytest
from wagtail.models import Site

from tests.api.conftest import assert_problem
from wagtail_smartgift.models import SmartGiftSettings


@pytest.fixture
def closed(db):
    """The site sells for an account that somebody has taken out of the settings."""
    site = Site.objects.get(is_default_site=True)
    return SmartGiftSettings.objects.create(site=site, account="closed")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "vouchers", None),
        ("get", "vouchers/37", None),
        ("post", "balance", {"voucher_no": "GOOD-0050-0001"}),
        ("get", "server/payment-methods", None),
        ("post", "server/payment-sessions", {"reference": "a", "amount_due": "80.00"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_account_that_is_gone_is_503(
    closed, server, sandbox, caplog, method, path, body
):
    with caplog.at_level(logging.ERROR):
        call = getattr(server, method)
        answer = call(path) if body is None else call(path, body)

    assert_problem(answer, "smartgift_unavailable", 503)
    assert int(answer["Retry-After"]) > 0
    assert "closed" not in answer.text
    assert "The settings of wagtail-smartgift do not work" in caplog.text
    assert sandbox.log() == []


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["", "keyed"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "vouchers", None),
        ("post", "balance", {"voucher_no": "GOOD-0050-0001"}),
        ("post", "server/payment-sessions", {"reference": "a", "amount_due": "80.00"}),
        ("post", "webhooks/shop", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_setting_that_makes_no_sense_is_503(
    server, sandbox, settings, caplog, method, path, body, headers
):
    settings.WAGTAIL_SMARTGIFT = {**settings.WAGTAIL_SMARTGIFT, "PAYMENT_METHOD": "x"}

    with caplog.at_level(logging.ERROR):
        call = getattr(server, method)
        answer = call(path, **headers) if body is None else call(path, body, **headers)

    assert_problem(answer, "smartgift_unavailable", 503)
    assert "PAYMENT_METHOD" not in answer.text
    assert "PAYMENT_METHOD" in caplog.text
    assert sandbox.log() == []

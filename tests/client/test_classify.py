import datetime as dt
from decimal import Decimal
from email.utils import format_datetime

import pytest
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from wagtail_smartgift.client import NotSent, OutcomeUnknown, RateLimited, Refused
from wagtail_smartgift.client._classify import (
    asked_pause,
    error_of_answer,
    error_of_failure,
    parse_json,
    rate_limit_pause,
    scrubber,
)
from wagtail_smartgift.client._transport import Answer, Failure
from wagtail_smartgift.wire import NotConnected, causes, header_number, server_date


NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.timezone.utc)
DATE = {"Date": format_datetime(NOW, usegmt=True)}


def http_date(seconds: int) -> str:
    return format_datetime(NOW + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": " 30 "}, 30),
        ({"Retry-After": "30", "X-RateLimit-Reset": "9"}, 30),
        ({"Retry-After": http_date(45)}, 45),
        ({"Retry-After": http_date(-45)}, 1),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 20)}, 20),
        ({"X-RateLimit-Reset": "1611079679"}, 1),
        ({"X-RateLimit-Reset": "9" * 12}, 300),
        ({"X-RateLimit-Reset": "9" * 400}, 60),
        ({"Retry-After": "86400"}, 300),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "soon"}, 60),
        ({"Retry-After": "-5"}, 60),
        ({"Retry-After": "Mon, 99 Foo 2026 99:99:99 GMT"}, 60),
        ({}, 60),
    ],
)
def test_the_pause_after_a_429_is_what_the_server_says_within_reason(headers, seconds):
    assert rate_limit_pause(DATE | headers) == seconds
    assert asked_pause(429, DATE | headers) == seconds


def test_without_the_servers_clock_ours_is_used():
    assert 28 < rate_limit_pause({"X-RateLimit-Reset": _unix(30)}) <= 30


def _unix(seconds: int) -> str:
    return str(int(dt.datetime.now(dt.timezone.utc).timestamp()) + seconds)


@pytest.mark.parametrize("status", [200, 500, 503, None])
def test_another_answer_may_ask_for_a_pause_too(status):
    assert asked_pause(status, DATE) is None
    assert asked_pause(status, DATE | {"Retry-After": "120"}) == 120
    assert asked_pause(status, DATE | {"Retry-After": "999999"}) == 3600


def test_headers_that_are_no_numbers_say_nothing():
    headers = {"A": "60", "B": "sixty", "C": "6.5", "D": "-1", "E": "", "F": "٣"}
    read = [header_number(headers, name) for name in "ABCDEFG"]
    assert read == [60, None, None, None, None, None, None]


@pytest.mark.parametrize(
    "text", ["", "now", "Mon, 23 Nov 2026", "Mon, 23 Nov 99999 12:00:00 GMT"]
)
def test_a_clock_that_cannot_be_read_is_none(text):
    assert server_date({"Date": text}) is None


def test_the_servers_clock_is_aware():
    assert server_date(DATE) == NOW
    assert server_date({"Date": "Mon, 23 Nov 2026 12:00:00 -0000"}) == NOW
    assert server_date({"Date": "Mon, 23 Nov 2026 13:00:00 +0100"}) == NOW


def test_numbers_with_a_point_are_decimals():
    body = parse_json(b'{"a": 96.19999999999999, "b": 10}')
    assert body == {"a": Decimal("96.19999999999999"), "b": 10}
    assert isinstance(body["a"], Decimal)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"{", b"NaN", b'{"a": Infinity}', b'{"a": -Infinity}',
        b"\xff", b"[" * 100_000, b"1" * 5_000,
    ],
)  # fmt: skip
def test_what_is_not_json_is_a_value_error(body):
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)


def test_the_innermost_reason_is_found_through_every_wrapping():
    inner = ConnectionResetError("reset")
    wrapped = MaxRetryError(None, "/redeem", ProtocolError("aborted", inner))
    assert list(causes(wrapped))[-1] is inner


def test_a_circle_of_exceptions_ends():
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert list(causes(first)) == [first, second]


def test_not_sent_needs_both_witnesses():
    not_connected = NotConnected(None, "x")

    def judge(error, sent):
        return type(error_of_failure(Failure(error, sent=sent), operation="redeem"))

    assert judge(not_connected, False) is NotSent
    assert judge(not_connected, True) is OutcomeUnknown
    # Alike, but not from where our connections are made.
    assert judge(NewConnectionError(None, "x"), False) is OutcomeUnknown
    assert judge(ConnectionRefusedError(), False) is OutcomeUnknown
    assert judge(RuntimeError("a bug"), False) is OutcomeUnknown


def test_every_status_has_a_verdict():
    for status in range(100, 1000):
        answer = Answer(status, {}, b"")
        error = error_of_answer(answer, operation="redeem", secrets=[])
        if 200 <= status < 300:
            assert error is None
        else:
            assert error.status == status
            assert error.operation == "redeem"


def test_maintenance_says_for_how_long():
    answer = Answer(503, {"Retry-After": "120"}, b"")
    error = error_of_answer(answer, operation="check", secrets=[])
    assert isinstance(error, OutcomeUnknown)
    assert error.retry_after == 120


def test_a_429_always_says_for_how_long():
    error = error_of_answer(Answer(429, {}, b""), operation="check", secrets=[])
    assert isinstance(error, RateLimited)
    assert error.retry_after == 60


def test_what_we_sent_in_confidence_is_taken_out_of_every_text():
    body = (
        b'{"message": "v1234567 of jane@x.test: no (V1234567-A)",'
        b' "errors": {"V1234567": ["sk_1 is bad"]}}'
    )
    secrets = ["V1234567", "V1234567-A", "jane@x.test", "sk_1", ""]
    error = error_of_answer(Answer(422, {}, body), operation="hold", secrets=secrets)
    assert isinstance(error, Refused)
    assert error.message == "[removed] of [removed]: no ([removed])"
    assert error.fields == {"[removed]": ("[removed] is bad",)}


def test_a_short_voucher_number_does_not_spoil_the_reason():
    body = b'{"message": "Voucher is already held"}'
    error = error_of_answer(Answer(422, {}, body), operation="hold", secrets=["held"])
    assert isinstance(error, Refused)
    assert error.reason.value == "already_held"
    assert error.message == "Voucher is already [removed]"


def test_without_secrets_a_text_stays():
    assert scrubber([""])("text") == "text"

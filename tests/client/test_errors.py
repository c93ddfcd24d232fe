import copy
import pickle

import pytest

from wagtail_smartgift.client import (
    Applied,
    CallNotAllowed,
    Misrouted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RefusalReason,
    Refused,
    SmartGiftError,
    Unauthorised,
)


ALL = [
    Refused,
    Unauthorised,
    Misrouted,
    RateLimited,
    NotSent,
    CallNotAllowed,
    OutcomeUnknown,
]


@pytest.mark.parametrize("kind", ALL)
def test_only_an_unknown_outcome_may_have_been_applied(kind):
    expected = Applied.UNKNOWN if kind is OutcomeUnknown else Applied.NO
    assert kind.applied is expected
    assert issubclass(kind, SmartGiftError)


def test_a_call_that_was_kept_back_was_not_sent():
    assert issubclass(CallNotAllowed, NotSent)


def test_an_error_says_what_was_asked_and_what_came_of_it():
    error = OutcomeUnknown("no answer in time", operation="redeem", status=200)
    assert str(error) == "redeem: no answer in time (HTTP 200)"
    assert str(CallNotAllowed(retry_after=2.0)) == "call: kept back"
    assert str(Unauthorised(operation="check", status=401)) == (
        "check: the key was not accepted (HTTP 401)"
    )


def test_a_refusal_keeps_smart_gifts_words_out_of_its_own():
    error = Refused(
        operation="hold",
        reason=RefusalReason.ALREADY_HELD,
        message="Voucher is already held",
        fields={"voucher_no": ("Voucher is already held",)},
    )
    assert str(error) == "hold: refused, already_held (HTTP 422)"
    assert error.message == "Voucher is already held"
    assert error.fields == {"voucher_no": ("Voucher is already held",)}


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "travel", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_an_error_survives_the_way_to_another_process(kind, travel):
    error = travel(kind(operation="redeem", status=500, retry_after=3.0))
    assert (error.operation, error.status, error.retry_after) == ("redeem", 500, 3.0)

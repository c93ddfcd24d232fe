"""What can go wrong with a call to Smart Gift, named by who must act.

::

    SmartGiftError
    ├── Refused            Smart Gift said no: whoever asked must ask for less or else
    ├── Unauthorised       the shop's developer: the key is wrong or was revoked
    ├── Misrouted          the shop's developer: the base URL is not Smart Gift's API
    ├── RateLimited        nobody: wait ``retry_after`` seconds and ask again
    ├── NotSent            nobody: nothing has left this machine, ask again
    │   └── CallNotAllowed     our own budget said no before the call
    │       └── CircuitOpen        our own breaker did: Smart Gift has not been answering
    └── OutcomeUnknown     the reconciler: look before asking again; for a call that
                           only reads it means "unavailable"

Every class but the last is certain that nothing was applied (``Applied.NO``).
``str()`` of any of them is made of our own words and safe to log. Smart Gift's words
are in ``Refused.message`` and ``Refused.fields``, with what we sent in confidence
taken out; they are for staff and never for customers.
"""

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar


class Applied(Enum):
    """Whether Smart Gift can have done what it was asked."""

    NO = "no"
    UNKNOWN = "unknown"


class RefusalReason(Enum):
    """Why Smart Gift refused, as far as its text is known to us."""

    INVALID_VOUCHER = "invalid_voucher"
    INVALID_SITE = "invalid_site"
    ALREADY_HELD = "already_held"
    NOT_HELD = "not_held"
    NOT_ENOUGH_BALANCE = "not_enough_balance"
    INVALID_REDEMPTIONS = "invalid_redemptions"
    #: The voucher number that we chose for an item of a sale.
    INVALID_CODE = "invalid_code"
    DUPLICATE_REFERENCE = "duplicate_reference"
    INVALID_DATE = "invalid_date"
    #: Smart Gift may add refusals at any time; read ``message``.
    UNKNOWN = "unknown"


class SmartGiftError(Exception):
    """A call to Smart Gift that did not succeed.

    ``operation`` is the client's method, ``status`` the HTTP status if one was seen,
    ``retry_after`` the seconds after which asking again makes sense, if known.
    """

    applied: ClassVar[Applied] = Applied.UNKNOWN
    #: What ``str()`` says when nothing finer is known.
    summary: ClassVar[str] = "failed"

    def __init__(
        self,
        detail: str = "",
        *,
        operation: str = "",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.operation = operation
        self.status = status
        self.retry_after = retry_after
        #: Smart Gift's clock when it answered (aware), from the answer's headers.
        self.answered_at: dt.datetime | None = None

    def __str__(self) -> str:
        text = f"{self.operation or 'call'}: {self.detail or self.summary}"
        return text if self.status is None else f"{text} (HTTP {self.status})"


class Refused(SmartGiftError):
    """Smart Gift understood and said no; whoever asked must ask for something else."""

    applied = Applied.NO
    summary = "refused"

    def __init__(
        self,
        detail: str = "",
        *,
        operation: str = "",
        status: int | None = 422,
        retry_after: float | None = None,
        reason: RefusalReason = RefusalReason.UNKNOWN,
        message: str = "",
        fields: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(
            detail or f"refused, {reason.value}",
            operation=operation,
            status=status,
            retry_after=retry_after,
        )
        self.reason = reason
        self.message = message
        self.fields: dict[str, tuple[str, ...]] = dict(fields or {})


class Unauthorised(SmartGiftError):
    """The key is missing, wrong or revoked; the shop's developer must act."""

    applied = Applied.NO
    summary = "the key was not accepted"


class Misrouted(SmartGiftError):
    """There is no such endpoint; the shop's developer must mend the base URL."""

    applied = Applied.NO
    summary = "no such endpoint at the base URL"


class RateLimited(SmartGiftError):
    """The key's quota is used up; ask again after ``retry_after`` seconds."""

    applied = Applied.NO
    summary = "the quota of the key is used up"


class NotSent(SmartGiftError):
    """Nothing of the request has left this machine; asking again is safe."""

    applied = Applied.NO
    summary = "not sent"


class CallNotAllowed(NotSent):
    """Our own gate kept the call back for ``retry_after`` seconds; the quota, as a rule."""

    summary = "kept back"


class CircuitOpen(CallNotAllowed):
    """Smart Gift has not been answering, so it is asked now and then only."""

    summary = "kept back, since Smart Gift has not been answering"


class OutcomeUnknown(SmartGiftError):
    """The request may have been applied; look before doing anything again."""

    applied = Applied.UNKNOWN
    summary = "the outcome is not known"

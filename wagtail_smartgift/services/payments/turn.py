"""A request's turn at a session: finding it, working alone on it, what it refuses.

What goes wrong on the way becomes the ``PaymentError`` that a customer or a shop can
do something about.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import SessionStatus
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.references import is_reference
from wagtail_smartgift.services import journal, keys
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.timebox import Postponed, TimeBox
from wagtail_smartgift.services.worker import (
    ForeignRow,
    Worker,
    account_of,
    at_work,
)


logger = logging.getLogger(__name__)

Status = SessionStatus
#: Seconds that a request waits for another one on the same session.
WAIT_FOR_OTHERS = 10.0


def get_session(*, reference: str) -> ledger.Session:
    """Picture a session as it is now.

    Raises:
        PaymentError: ``not_found``.
    """
    return ledger.describe(find(reference))


def find(reference: str) -> PaymentSession:
    if not is_reference(reference):
        raise PaymentError("not_found")
    session = PaymentSession.objects.filter(reference=reference).first()
    if session is None:
        raise PaymentError("not_found")
    return session


@contextmanager
def working(session: PaymentSession) -> Iterator[tuple[Worker, PaymentSession]]:
    """Work alone on a session, in the time that a request has."""
    box = TimeBox.request()
    try:
        with at_work(session, box=box, wait=WAIT_FOR_OTHERS) as worker:
            yield worker, worker.session()
    except Claimed:
        raise PaymentError("session_busy", retry_after=5) from None
    except ForeignRow:
        raise PaymentError("smartgift_unavailable") from None
    except Postponed as error:
        raise PaymentError(error.code, retry_after=error.retry_after) from None
    except journal.Stale:
        raise PaymentError("session_busy", retry_after=1) from None
    except keys.WrongFingerprintKey:
        logger.error(
            "No voucher can be taken: FINGERPRINT_KEY is not the key that the stored "
            "vouchers were fingerprinted with. Put that one back, or run smartgift_rekey."
        )
        raise PaymentError("smartgift_unavailable", retry_after=60) from None


def refuse_foreign(session: PaymentSession) -> None:
    """Refuse to write into a session of another key or address, even a wish."""
    try:
        account_of(session)
    except ForeignRow:
        raise PaymentError("smartgift_unavailable") from None


def require_open(session: PaymentSession) -> None:
    if session.status != Status.OPEN:
        raise PaymentError("session_not_open")


def refuse_other(session: PaymentSession, *, open_code: str | None) -> None:
    """Refuse a verb in the statuses in which nearly all are refused."""
    codes = {
        Status.OPEN: open_code,
        Status.CANCELLING: "session_busy",
        Status.REFUNDING: "session_busy",
        Status.CANCELLED: "session_cancelled",
        Status.NEEDS_ATTENTION: "needs_attention",
    }
    code = codes.get(Status(session.status))
    if code is not None:
        raise PaymentError(code, retry_after=5 if code == "session_busy" else None)

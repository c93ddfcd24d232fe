"""Redeeming one voucher of a session, whatever it takes within the rules."""

import logging
from collections.abc import Callable

from django.db import transaction

from wagtail_smartgift.choices import Operation, Outcome, RedemptionStatus
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import holding, holds, journal, redeeming, settling
from wagtail_smartgift.services.worker import Worker


logger = logging.getLogger(__name__)

S = RedemptionStatus
#: How often one redeem may find its hold gone and take a new one.
_TRIES = 2


class PersonNeeded(Exception):
    """What became of a redeem cannot be found out by a machine."""


def keep(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    """Make sure that a voucher is held long enough and holds what it must give.

    Raises:
        NotRedeemed: it is not to be had any more (``hold_lost``, ``shortfall``).
        Postponed: Smart Gift could not be asked.
    """
    try:
        or_person(row, lambda: holding.ensure(worker, session, row))
    except holds.VoucherHeld as error:
        raise redeeming.NotRedeemed("hold_lost", held_for=error.retry_after) from None
    except holds.HoldRefused:
        raise redeeming.NotRedeemed("hold_lost") from None
    except holding.Shortfall:
        raise redeeming.NotRedeemed("shortfall") from None


def spend(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    """Redeem a voucher for its amount, taking its hold anew where that went.

    Raises:
        NotRedeemed: refused for good, nothing was taken.
        PersonNeeded: it may have been taken, and only a person can find out.
        Postponed: not settled yet.
    """
    for _attempt in range(_TRIES):
        keep(worker, session, row)
        try:
            or_person(row, lambda: redeeming.redeem(worker, row))
        except redeeming.InDoubt:
            settle(worker, row)
        if row.status == S.REDEEMED:
            return
        # Else it turned out not to have been applied: held or lapsed again.
    raise redeeming.NotRedeemed("hold_lost")


def settle(worker: Worker, row: Redemption) -> None:
    """Find out what became of a redeem that was asked for.

    Raises:
        NotRedeemed: it was refused for good, and nothing was taken.
        PersonNeeded: only a person can.
        Postponed: it is not known yet.
    """
    or_person(row, lambda: settling.settle(worker, row))


def or_person(row: Redemption, step: Callable[[], None]) -> None:
    """Take a step; what no machine can do any more goes to a person.

    Raises:
        PersonNeeded: the row is ``needs_attention`` now.
    """
    try:
        step()
    except UndecryptableError:
        logger.error("The voucher number of %s cannot be read with our keys.", row.pk)
        row.refresh_from_db()
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.SETTLE,
                Outcome.UNKNOWN,
                status=S.NEEDS_ATTENTION,
                reason="undecryptable",
                attention_code="undecryptable",
            )
    if row.status == S.NEEDS_ATTENTION:
        raise PersonNeeded

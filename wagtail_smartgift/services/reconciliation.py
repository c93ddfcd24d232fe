"""The sweep: finishing what a crash, a lost answer or a customer left behind.

It reads only our own rows, so it needs no message of any queue, and it may run from
several processes at once, while customers shop: whoever gets a session's claim works
on it, the others go on to the next. What breaks off, a row or a whole part of the pass,
is logged and counted, and keeps nothing else waiting.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.models import Q, QuerySet

from wagtail_smartgift import clock, health
from wagtail_smartgift.choices import OrderStatus, RedemptionStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.ledger import PENDING
from wagtail_smartgift.models import (
    Heartbeat,
    PaymentSession,
    Redemption,
    VoucherOrder,
)
from wagtail_smartgift.services import (
    answers,
    attention,
    counters,
    delivery_rounds,
    holding,
    holds,
    inbox,
    outbox,
    patience,
    progress,
    replaying,
    sales,
    sessions,
    stranded,
    sync_runs,
)
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.journal import Stale
from wagtail_smartgift.services.timebox import Postponed, TimeBox
from wagtail_smartgift.services.worker import ForeignRow, at_work


logger = logging.getLogger(__name__)

S = RedemptionStatus
#: Rows that one pass looks at, of each kind; the next pass takes the next.
BATCH = 200
#: Seconds until the next look at a session that made the sweep itself stumble.
AFTER_FAULT = 300


@dataclass
class Report:
    """What one pass did, in rows."""

    #: Payments that came to rest.
    settled: int = 0
    #: Payments that still wait for something.
    waiting: int = 0
    #: Holds found to be over.
    lapsed: int = 0
    #: Payments whose customer had gone, and whose holds were given back.
    abandoned: int = 0
    #: Voucher orders that were worked on.
    orders: int = 0
    #: Events that were sent again.
    events: int = 0
    #: Messages of the shop that were worked on.
    messages: int = 0
    #: Webhooks that were delivered.
    webhooks: int = 0
    #: Catalogues that were read because somebody at the desk had asked.
    catalogues: int = 0
    #: Payments and orders that staff were told of by mail.
    told: int = 0
    #: Payments and orders that only a person can decide.
    attention: int = 0
    #: Messages of the shop that failed and can be replayed.
    failed_messages: int = 0
    #: Rows of another key or address, which are left alone.
    foreign: int = 0
    #: Rows on which the sweep itself failed; the log tells why.
    faults: int = 0
    #: Parts of the pass that broke off; the log tells why.
    broken_off: int = 0


def reconcile(*, batch: int = BATCH) -> Report:
    """Make one pass over everything that is due.

    Each part is tried, whatever became of the one before: a fault in one kind of row
    must not keep the money in the others waiting.

    Raises:
        DatabaseError: the database is away.
    """
    report = Report()
    for part in _PARTS:
        try:
            part(report, batch)
        except Exception as error:
            if isinstance(error, DatabaseError):
                _require_database()
            logger.exception("The part %s of the sweep broke off.", _name(part))
            report.broken_off += 1
    return report


def _name(part: "_Part") -> str:
    return part.__name__.strip("_")


def _require_database() -> None:
    """See whether only one part could not use the database; connect anew if need be.

    Raises:
        DatabaseError: nobody can, so the other parts need not be tried.
    """
    connection = connections[router.db_for_write(PaymentSession) or DEFAULT_DB_ALIAS]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    PaymentSession.objects.using(connection.alias).order_by().values("pk").first()


def _beat(report: Report, batch: int) -> None:
    """Write down that a pass has looked after the money: the doctor asks when that was.

    Before mail and webhooks: a slow receiver must not look like a sweep that is dead.
    One in which a part broke off has not looked after all of it.
    """
    if report.broken_off:
        return
    now = clock.now()
    if not Heartbeat.objects.filter(name=health.SWEEP).update(at=now):
        # Two first passes at once: either's time will do.
        Heartbeat.objects.bulk_create(
            [Heartbeat(name=health.SWEEP, at=now)], ignore_conflicts=True
        )


def _lapse(report: Report, batch: int) -> None:
    """Move holds past their deadline to lapsed; a session at work does it itself."""
    now = clock.now()
    oldest = now - timedelta(seconds=holds.HOLD_SECONDS + holds.DEADLINE_MARGIN)
    over = Q(status=S.HELD, held_until__lte=now) | Q(
        status=S.HOLDING, hold_sent_at__lte=oldest
    )
    rows = Redemption.objects.select_related("session").filter(
        over, _unclaimed("session__", now), PaymentSession.ours(prefix="session__")
    )
    for row in rows.order_by("held_until")[:batch]:
        try:
            report.lapsed += holds.lapse(row)
        except Exception:
            logger.exception("The sweep failed on the hold of redemption %s.", row.pk)
            report.faults += 1


def _unclaimed(prefix: str, now: object) -> Q:
    free = Q(**{f"{prefix}claimed_until__isnull": True})
    return free | Q(**{f"{prefix}claimed_until__lt": now})


def _due(now: datetime) -> QuerySet[PaymentSession]:
    """Sessions that something is left to be done about, the longest due first."""
    return PaymentSession.objects.filter(
        Q(next_look_at__isnull=True)
        | Q(next_look_at__lte=now)
        | Q(next_look_at__gt=now + patience.furthest()),
        _unclaimed("", now),
        PaymentSession.ours(),
        status__in=PENDING,
    ).order_by("next_look_at")


def _advance(report: Report, batch: int) -> None:
    for session in list(_due(clock.now())[:batch]):
        try:
            with at_work(session, box=TimeBox.sweep()) as worker:
                progress.advance(worker)
        except (Claimed, ForeignRow):
            continue
        except Postponed:
            report.waiting += 1
        except Exception:
            # One session must not keep the sweep from all the others.
            logger.exception("The sweep failed on payment %s.", session.pk)
            report.faults += 1
            PaymentSession.objects.filter(pk=session.pk).update(
                next_look_at=clock.now() + timedelta(seconds=AFTER_FAULT)
            )
        else:
            report.settled += 1


def _undo_stranded(report: Report, batch: int) -> None:
    """Give back what open payments have of vouchers: nobody can have paid with it."""
    stranded.undo(limit=batch)


def _release_abandoned(report: Report, batch: int) -> None:
    """Give back the holds of open sessions that nobody has touched for long."""
    limit = clock.now() - timedelta(seconds=get_conf().abandoned_after)
    # From what is held, which is little: there are open sessions of many years. Read
    # apart, for SQLite would begin with the sessions all the same.
    held = Redemption.objects.order_by().filter(status=S.HELD)
    abandoned = PaymentSession.objects.filter(
        PaymentSession.ours(),
        pk__in=list(held.values_list("session", flat=True)),
        status=SessionStatus.OPEN,
        last_active_at__lt=limit,
    ).order_by("last_active_at")
    for session in list(abandoned[:batch]):
        try:
            with at_work(session, box=TimeBox.sweep()) as worker:
                if worker.session().last_active_at >= limit:
                    continue  # The customer came back this moment.
                for row in sessions.rows(session):
                    holding.let_go(worker, row)
        except (Claimed, ForeignRow, Postponed, Stale):
            continue
        except Exception:
            logger.exception("The sweep could not give back payment %s.", session.pk)
            report.faults += 1
            continue
        report.abandoned += 1


def _sell(report: Report, batch: int) -> None:
    done = sales.advance_due(limit=batch)
    report.orders = done.advanced
    report.foreign += done.foreign
    report.faults += done.failed


def _read_messages(report: Report, batch: int) -> None:
    report.messages = inbox.process_due(limit=batch)


def _send_events(report: Report, batch: int) -> None:
    report.events = outbox.dispatch_due(limit=batch)


def _count(report: Report, batch: int) -> None:
    """Count what waits for somebody, and what is not ours to finish."""
    report.failed_messages = replaying.count_replayable()
    report.attention = (
        PaymentSession.objects.filter(status=SessionStatus.NEEDS_ATTENTION).count()
        + VoucherOrder.objects.filter(status=OrderStatus.NEEDS_ATTENTION).count()
    )
    foreign = (
        PaymentSession.objects.filter(status__in=PENDING)
        .exclude(PaymentSession.ours())
        .count()
    )
    if foreign:
        logger.warning(
            "%d payments were made with another Smart Gift key or address than is "
            "configured now; they are left alone.",
            foreign,
        )
    report.foreign += foreign + inbox.count_foreign()


def _deliver(report: Report, batch: int) -> None:
    report.webhooks = delivery_rounds.deliver_due()


def _read_catalogues(report: Report, batch: int) -> None:
    """Read the catalogues that somebody asked for and no worker took on."""
    report.catalogues = sync_runs.work_on_due()


def _tell_staff(report: Report, batch: int) -> None:
    report.told = attention.tell_staff()


def _forget_answers(report: Report, batch: int) -> None:
    answers.prune()


def _forget_counters(report: Report, batch: int) -> None:
    counters.prune()


def _forget_messages(report: Report, batch: int) -> None:
    inbox.prune()


def _forget_events(report: Report, batch: int) -> None:
    delivery_rounds.prune()


_Part = Callable[[Report, int], None]

#: First what is running out: an unknown redeem can be found out only while its hold
#: lasts. Holds are given back after the messages, which may confirm their payments.
#: Last other people's servers, which take their time, and the host's mail, which may
#: never answer.
_PARTS: tuple[_Part, ...] = (
    _lapse,
    _undo_stranded,
    _advance,
    _sell,
    _read_messages,
    _release_abandoned,
    _send_events,
    _beat,
    _count,
    _forget_answers,
    _forget_counters,
    _forget_messages,
    _forget_events,
    _deliver,
    _read_catalogues,
    _tell_staff,
)

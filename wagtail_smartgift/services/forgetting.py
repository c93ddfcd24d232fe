"""Taking people out of what is done with: personal data past its days, and what is spent.

A voucher order that is settled keeps what was sold, for how much, when and under which
reference; a payment keeps its whole journal. What goes is who bought, where it was sent,
what was written on the vouchers, whatever the shop attached to a payment, and what staff
wrote about it outside of the journals. Voucher
numbers stay, encrypted: they are money and name nobody, and a customer may ask about a
voucher years later.

What is not settled, or needs a person, is never touched: it keeps what it needs. Every
write is a conditional UPDATE, so that several processes may do this at once, under a
shop that works.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from wagtail_smartgift.choices import (
    LIVE_REDEMPTION_STATUSES,
    OrderStatus,
    SessionStatus,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    DeskLookUp,
    PaymentSession,
    Redemption,
    SessionEmail,
    SessionSecret,
    VoucherOrder,
)
from wagtail_smartgift.services import (
    answers,
    counters,
    delivery_rounds,
    inbox,
    staff_words,
)


#: Rows that are read at once, and payments that are written in one transaction.
BATCH = 200
#: How long after the right day the doctor says that nobody does this.
GRACE = timedelta(days=2)
#: So many are as good as any number to somebody who has to run a command.
MANY = 1000
#: Days that a client secret which opens nothing any more is still told from a wrong one.
KEEP_SECRETS = 30

SETTLED_ORDERS = (OrderStatus.PLACED, OrderStatus.REFUSED)
SETTLED_PAYMENTS = (SessionStatus.CONFIRMED, SessionStatus.CANCELLED)

#: Called with what is being looked at, and how many have been done.
Progress = Callable[[str, int], None]


@dataclass
class Report:
    """What was forgotten, in rows."""

    #: Voucher orders that a person was taken out of.
    orders: int = 0
    #: Payments whose metadata was emptied.
    payments: int = 0
    #: Messages of the shop.
    messages: int = 0
    #: Events with their webhooks.
    events: int = 0
    #: Answers kept for repeats of a request.
    answers: int = 0
    #: Client secrets of long ago.
    secrets: int = 0
    #: Counts of look-ups whose time is over.
    counts: int = 0
    #: Who looked which number up at the voucher desk.
    look_ups: int = 0


def prune(
    *, dry_run: bool = False, batch: int = BATCH, progress: Progress | None = None
) -> Report:
    """Forget all that is past its days. With ``dry_run`` only count it."""
    if dry_run:
        return _count()
    report = Report()
    steps: dict[str, Callable[[], Iterator[int]]] = {
        "orders": lambda: _forget_orders(batch),
        "payments": lambda: _forget_payments(batch),
        "messages": lambda: _until_none(inbox.prune),
        "events": lambda: _until_none(delivery_rounds.prune),
        "answers": lambda: _until_none(answers.prune),
        "secrets": lambda: _until_none(lambda: _forget_secrets(batch)),
        "counts": lambda: iter([counters.prune()]),
        "look_ups": lambda: _until_none(lambda: _forget_look_ups(batch)),
    }
    for name, step in steps.items():
        for done in step():
            setattr(report, name, getattr(report, name) + done)
            if progress is not None:
                progress(name, getattr(report, name))
    return report


def _count() -> Report:
    return Report(
        orders=sum(1 for _order in _orders_due(BATCH)),
        payments=sum(due.count() for due in _payments_due()),
        messages=inbox.past_their_days().exclude(_emptied()).count(),
        events=delivery_rounds.past_their_days().count(),
        answers=answers.past_their_day().count(),
        secrets=_spent_secrets().count(),
        look_ups=_old_look_ups().count(),
    )


def _emptied() -> Q:
    """Select messages that gave money back, which stay, and have been emptied."""
    return Q(refund_target__isnull=False, payload_encrypted="")


def overdue() -> int:
    """Count orders and payments that should have been forgotten days ago.

    From ``MANY`` on it is not counted how many more there are.
    """
    orders = _orders_due(BATCH, grace=GRACE)
    return sum(1 for _order in islice(orders, MANY)) + sum(
        due[:MANY].count() for due in _payments_due(grace=GRACE)
    )


def _until_none(step: Callable[[], int]) -> Iterator[int]:
    """Repeat a step that does a batch at the most, until there is nothing to do."""
    while done := step():
        yield done


# -- orders -------------------------------------------------------------------


def forget_order(order: VoucherOrder) -> bool:
    """Take the person out of a settled order; False if it has moved on meanwhile.

    What was ordered can then not be compared any more: the same order again is a
    ``reference_conflict``, and never a second sale.
    """
    delivery = order.delivery
    with transaction.atomic(durable=True):
        done = VoucherOrder.objects.filter(
            pk=order.pk,
            version=order.version,
            status__in=SETTLED_ORDERS,
            forgotten_at__isnull=True,
        ).update(
            version=F("version") + 1,
            forgotten_at=timezone.now(),
            customer={},
            email_digest="",
            content_digest="",
            refusal_detail="",
            # How it was sent, and what that cost, is part of what was sold.
            delivery={
                **{name: delivery.get(name) for name in ("method", "price", "date")},
                "address": None,
            }
            if delivery
            else {},
        )
        if done:
            order.items.update(to="", sender="", message="")
            staff_words.forget_order(order.pk)
    return bool(done)


def _forget_orders(batch: int) -> Iterator[int]:
    for order in _orders_due(batch):
        yield int(forget_order(order))


def _orders_due(
    batch: int, *, grace: timedelta = timedelta()
) -> Iterator[VoucherOrder]:
    """Yield the settled orders whose time has come: those that somebody asked for first.

    The time of a voucher that is sent on a day to come counts from that day.
    """
    limit = _limit(grace)
    rows = VoucherOrder.objects.filter(
        status__in=SETTLED_ORDERS, forgotten_at__isnull=True
    )
    asked = rows.filter(erase_asked_at__lte=timezone.now() - grace)
    yield from _walk(asked, "erase_asked_at", batch)
    old = rows.filter(updated_at__lte=limit, erase_asked_at__isnull=True)
    for order in _walk(old, "updated_at", batch):
        if not _is_sent_after(order, limit.date()):
            yield order


def _walk(
    rows: "QuerySet[VoucherOrder]", name: str, batch: int
) -> Iterator[VoucherOrder]:
    """Yield rows by a time, a batch at a time: what is yielded may change meanwhile."""
    last: VoucherOrder | None = None
    while True:
        after = rows
        if last is not None:
            at = getattr(last, name)
            after = rows.filter(
                Q(**{f"{name}__gt": at}) | Q(**{name: at, "pk__gt": last.pk})
            )
        chunk = list(after.order_by(name, "pk")[:batch])
        if not chunk:
            return
        yield from chunk
        last = chunk[-1]


def _is_sent_after(order: VoucherOrder, day: date) -> bool:
    told: str = (order.delivery or {}).get("date") or ""
    return bool(told) and date.fromisoformat(told) > day


# -- payments -----------------------------------------------------------------


def forget_payments(rows: "QuerySet[PaymentSession]") -> int:
    """Empty the metadata of those of these payments that are settled; returns how many.

    One that nobody finished is, once nobody has touched it for long and it holds no
    voucher.
    """
    pks = list(rows.filter(is_at_rest()).values_list("pk", flat=True))
    with transaction.atomic(durable=True):
        # The UPDATE first: on SQLite a transaction that reads before is turned away
        # by whoever writes meanwhile. So it asks for everything once more.
        done = (
            rows.filter(is_at_rest(), pk__in=pks)
            .order_by()
            .update(forgotten_at=timezone.now(), metadata={})
        )
        if done:
            SessionEmail.objects.filter(
                session__in=pks, session__forgotten_at__isnull=False
            ).delete()
            forgotten = PaymentSession.objects.filter(
                pk__in=pks, forgotten_at__isnull=False
            )
            staff_words.forget_payments(forgotten.values_list("pk", flat=True))
    return done


def is_at_rest() -> Q:
    """Select payments that nothing is left to be done about."""
    quiet = timezone.now() - timedelta(seconds=get_conf().abandoned_after)
    live = Redemption.objects.filter(
        session=OuterRef("pk"), status__in=LIVE_REDEMPTION_STATUSES
    )
    left_open = Q(status=SessionStatus.OPEN, last_active_at__lte=quiet) & ~Q(
        Exists(live)
    )
    return Q(forgotten_at__isnull=True) & (Q(status__in=SETTLED_PAYMENTS) | left_open)


def _forget_payments(batch: int) -> Iterator[int]:
    # Those that have no metadata, too: they are then not looked at again.
    for due in _payments_due():
        while pks := list(due.values_list("pk", flat=True)[:batch]):
            done = forget_payments(due.filter(pk__in=pks))
            yield done
            if not done:
                # Somebody else has just done these, or opened them again.
                break


def _payments_due(
    *, grace: timedelta = timedelta()
) -> "tuple[QuerySet[PaymentSession], QuerySet[PaymentSession]]":
    """Select the payments that somebody asked for, and those whose time has come.

    Two queries, since each has an index of its own.
    """
    limit = _limit(grace)
    rows = PaymentSession.objects.filter(is_at_rest())
    asked = rows.filter(erase_asked_at__lte=timezone.now() - grace)
    old = rows.filter(
        erase_asked_at__isnull=True, updated_at__lte=limit, last_active_at__lte=limit
    )
    return asked.order_by("erase_asked_at"), old.order_by("updated_at")


def _limit(grace: timedelta) -> datetime:
    """Return the time before which what is settled is forgotten."""
    return timezone.now() - get_conf().keep_personal_data - grace


# -- what is spent ------------------------------------------------------------


def _spent_secrets() -> "QuerySet[SessionSecret]":
    return SessionSecret.objects.filter(
        expires_at__lte=timezone.now() - timedelta(days=KEEP_SECRETS)
    )


def _forget_secrets(batch: int) -> int:
    over = list(_spent_secrets().values_list("pk", flat=True)[:batch])
    return SessionSecret.objects.filter(pk__in=over).delete()[0]


def _old_look_ups() -> "QuerySet[DeskLookUp]":
    return DeskLookUp.objects.filter(created_at__lte=_limit(timedelta()))


def _forget_look_ups(batch: int) -> int:
    old = list(_old_look_ups().values_list("pk", flat=True)[:batch])
    return DeskLookUp.objects.filter(pk__in=old).delete()[0]

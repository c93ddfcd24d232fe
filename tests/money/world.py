"""A Smart Gift, a shop, the time, and the books of both: what scenarios are told in.

The sandbox keeps a ledger of its own, so the question is never what our rows say of
themselves: it is whether the two agree.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import time_machine
from django.db import connection
from django.db.transaction import Atomic
from django.utils import timezone as django_timezone

from wagtail_smartgift import clock, ledger, payments
from wagtail_smartgift.choices import (
    LIVE_REDEMPTION_STATUSES,
    OrderStatus,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.client._transport import Transport
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    CapabilityRecord,
    DeskAction,
    DeskLookUp,
    InboxEvent,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    Redemption,
    RedemptionEvent,
    SessionSecret,
    StaffNotice,
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
    WebhookAttempt,
    WebhookDelivery,
)
from wagtail_smartgift.sandbox import Experience, Sandbox
from wagtail_smartgift.services import (
    claims,
    holds,
    journal,
    probing,
    reconciliation,
    vault,
)


S = RedemptionStatus
ZERO = Decimal("0.00")

#: Bit value to what it is worth, here and in the sandbox.
EXPERIENCES = {1: Decimal("29.50"), 2: Decimal("12.00"), 4: Decimal("8.00")}
#: Attention codes of a row whose redeem certainly stands.
_STANDS = frozenset({"ids_lost"})
#: Attention codes of a row that certainly took nothing.
_NOTHING = frozenset({"remainder_not_redeemed"})
#: Passes of the sweep after which a scenario that is still not at rest never will be.
MOST_PASSES = 120


def worth(session: Any, voucher: Any, bits: list[int]) -> Decimal:
    """EXPERIENCE_VALUE of the tests."""
    return sum((EXPERIENCES[bit] for bit in bits), ZERO)


def experiences() -> list[Experience]:
    return [
        Experience(name=f"Part {bit}", bit_value=bit, worth=int(value * 100))
        for bit, value in EXPERIENCES.items()
    ]


class Killed(BaseException):
    """The process is dead; nothing that it would have done happens."""


class World:
    """Time for both sides, the sweep, and a death that can be arranged."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        #: Steps until the process dies; None: it lives.
        self.dies_in: int | None = None
        self.dead = False
        self._is_mortal = False
        self._undo: list[Callable[[], None]] = []
        self._time: Any = None
        #: Seconds that have been let pass, everywhere.
        self._passed = 0.0
        self._wire: dict[str, Callable[[Callable[[], Any]], Any]] = {}

    # -- life and death ------------------------------------------------------------

    def start(self) -> None:
        traveller = time_machine.travel(datetime.now(tz=timezone.utc), tick=True)
        self._time = traveller.start()
        self._undo.append(traveller.stop)
        self._share_a_database()
        self.watch()

    def stop(self) -> None:
        while self._undo:
            self._undo.pop()()

    def watch(self) -> None:
        """Observe the boundaries between steps: each commit, each call, each answer."""
        world = self
        exchange, leave, give_back = (
            Transport.exchange,
            Atomic.__exit__,
            claims.Claim.give_back,
        )

        def observed_exchange(
            self: Transport, method: str, path: str, *args: Any, **kwargs: Any
        ) -> Any:
            world.step(f"before {path}")
            act = world._wire.pop(path, _as_it_is)
            answer = act(lambda: exchange(self, method, path, *args, **kwargs))
            world.step(f"after {path}")
            return answer

        def observed_leave(self: Atomic, kind: Any, error: Any, trace: Any) -> None:
            leave(self, kind, error, trace)
            if self.durable and kind is None:
                world.step("commit")

        def observed_give_back(self: claims.Claim) -> None:
            if not world.dead:
                give_back(self)

        Transport.exchange = observed_exchange  # type: ignore[method-assign]
        Atomic.__exit__ = observed_leave
        claims.Claim.give_back = observed_give_back  # type: ignore[method-assign]

        def undo() -> None:
            Transport.exchange = exchange  # type: ignore[method-assign]
            Atomic.__exit__ = leave
            claims.Claim.give_back = give_back  # type: ignore[method-assign]

        self._undo.append(undo)

    def step(self, name: str) -> None:
        """Pass a boundary between two steps, or die at it."""
        if self.dies_in is None or not self._is_mortal:
            return
        self.dies_in -= 1
        if self.dies_in <= 0:
            self.dies_in = None
            self.dead = True
            raise Killed

    def on_the_wire(self, path: str, act: Callable[[Callable[[], Any]], Any]) -> None:
        """Have ``act(call)`` answer the next call of ``path``: what lies between us."""
        self._wire[path] = act

    @contextmanager
    def mortal(self) -> Iterator[None]:
        """Run what may die; a death leaves everything as it was at that step."""
        self._is_mortal = True
        try:
            yield
        except Killed:
            pass
        finally:
            self._is_mortal, self.dies_in, self.dead = False, None, False

    # -- time ----------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let time pass here and at Smart Gift."""
        self.sandbox.clock.advance(seconds)
        self._passed += seconds
        self._time.shift(seconds)

    def _share_a_database(self) -> None:
        """Have a database whose clock is not this host's, though it agrees with it."""
        ours = clock.now

        def databases_now() -> datetime:
            real = time_machine.escape_hatch.datetime.datetime.now(tz=timezone.utc)
            return real + timedelta(seconds=self._passed)

        clock.now = databases_now
        self._undo.append(lambda: setattr(clock, "now", ours))

    def set_the_databases_clock(self, seconds: float) -> None:
        """Have somebody set the database's clock forward, or back; no time passes."""
        self._passed += seconds

    @contextmanager
    def on_a_host_ahead_by(self, seconds: float) -> Iterator[None]:
        """Be another host, whose clock is wrong; neither the database's nor theirs is."""
        self._time.shift(seconds)
        try:
            yield
        finally:
            self._time.shift(-seconds)

    def until_quiet(self) -> int:
        """Let time pass and sweep until nothing is left to do; returns the passes."""
        for made in range(1, MOST_PASSES + 1):
            report = reconciliation.reconcile()
            assert not report.faults, "the sweep stumbled; see the log"
            wait = seconds_until_due()
            if wait is None:
                return made
            self.pass_time(wait)
        raise AssertionError(f"Never at rest: {describe_rows()}")


def _as_it_is(call: Callable[[], Any]) -> Any:
    return call()


def twice(call: Callable[[], Any]) -> Any:
    """Send a request twice and answer with what the second was told, as a proxy may."""
    call()
    return call()


def seconds_until_due() -> float | None:
    """Return when there is something to do again; None: everything is at rest."""
    now = django_timezone.now()
    due = _next_due(now)
    return None if due is None else max(0.5, (due - now).total_seconds() + 1)


def _next_due(now: datetime) -> datetime | None:
    pending = PaymentSession.objects.filter(status__in=ledger.PENDING)
    times = [
        max(session.next_look_at or now, session.claimed_until or now)
        for session in pending
    ]
    for row in Redemption.objects.filter(status__in=LIVE_REDEMPTION_STATUSES).exclude(
        session__in=pending
    ):
        ends = holds.hold_ends(row) or now
        times.append(max(ends, row.session.claimed_until or now))
    orders = VoucherOrder.objects.filter(
        status__in=(OrderStatus.QUEUED, OrderStatus.PLACING)
    )
    times += [
        max(order.next_look_at or now, order.claimed_until or now) for order in orders
    ]
    times += list(
        OutboxEvent.objects.filter(dispatched_at__isnull=True).values_list(
            "next_attempt_at", flat=True
        )
    )
    times += list(
        InboxMessage.objects.filter(next_attempt_at__isnull=False).values_list(
            "next_attempt_at", flat=True
        )
    )
    return min(times, default=None)


# -- the books -----------------------------------------------------------------------


def redeemed(sandbox: Sandbox, number: str) -> Decimal:
    """Return what the shop has redeemed of a voucher, by the sandbox's ledger."""
    return Decimal(
        sum(
            one.pence
            for one in sandbox.redemptions(number)
            if one.by == "api" and one.reversed_at is None
        )
    ) / Decimal(100)


def stands(row: Redemption) -> tuple[Decimal, Decimal]:
    """Return the least and the most that may be redeemed by this row."""
    # An experience is used up whole, whatever part of its worth was due here.
    amount = worth(None, None, row.experiences) if row.is_experience else row.amount
    if row.status == S.REDEEMED:
        return amount, amount
    if row.status in {S.REDEEMING, S.REVERSING}:
        return ZERO, amount
    if row.status == S.NEEDS_ATTENTION and row.attention_code not in _NOTHING:
        sure = row.attention_code in _STANDS
        return (amount if sure else ZERO), amount
    return ZERO, ZERO


def our_books() -> dict[str, tuple[Decimal, Decimal]]:
    """Return for each voucher the least and the most that our rows account for."""
    books: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (ZERO, ZERO))
    for row in Redemption.objects.all():
        number = vault.voucher_number(row)
        (least, most), (low, high) = books[number], stands(row)
        books[number] = (least + low, most + high)
    return books


def compare_books(
    sandbox: Sandbox,
    ours: dict[str, tuple[Decimal, Decimal]] | None = None,
    rows: str = "",
) -> None:
    """Hold our rows against the sandbox's ledger, at any moment.

    What is certain here must be there, and nothing may be there that is not at least
    in doubt here: no double debit, no confirmation without a redemption.
    """
    ours = our_books() if ours is None else ours
    for voucher in sandbox.vouchers():
        least, most = ours.get(voucher.number, (ZERO, ZERO))
        there = redeemed(sandbox, voucher.number)
        assert least <= there <= most, (
            f"{voucher.number}: Smart Gift's books say {there}, ours between {least} "
            f"and {most}: {rows or describe_rows()}"
        )


def compare_rest() -> None:
    """Check every row and session once nothing is left to do."""
    for row in Redemption.objects.all():
        assert row.status not in LIVE_REDEMPTION_STATUSES, describe_rows()
        folded = journal.fold(row.events.all())
        assert folded.status == row.status
        if row.status != S.NEEDS_ATTENTION:
            standing = bool(row.proof) and row.status != S.REVERSED
            assert folded.taken == (row.amount if standing else 0), describe_rows()
            assert not folded.in_doubt
    for session in PaymentSession.objects.all():
        compare_session(session)


def compare_session(session: PaymentSession) -> None:
    state = payments.get_session(reference=session.reference)
    rows = list(session.redemptions.all())
    standing = sum((row.amount for row in rows if row.status == S.REDEEMED), ZERO)
    statuses = {row.status for row in rows}
    if session.status == SessionStatus.OPEN:
        assert standing == 0
        assert statuses <= {S.LAPSED, S.RELEASED, S.REFUSED}, describe_rows()
        assert not any(row.proof for row in rows)
        assert not session.cancel_requested
    elif session.status == SessionStatus.CANCELLED:
        assert standing == 0
        assert statuses <= {S.RELEASED, S.REVERSED, S.REFUSED}, describe_rows()
        assert state.amount_covered == 0
    elif session.status == SessionStatus.CONFIRMED:
        assert state.amount_covered == standing, describe_rows()
        assert statuses <= {S.REDEEMED, S.RELEASED, S.REVERSED, S.REFUSED}
        assert state.amount_redeemed - state.amount_refunded == standing
    else:
        assert session.status == SessionStatus.NEEDS_ATTENTION
        assert S.NEEDS_ATTENTION in statuses, describe_rows()


def describe_rows() -> str:
    """Return all rows and their journals as text, for a failing test."""
    lines = []
    for session in PaymentSession.objects.order_by("reference"):
        lines.append(
            f"{session.reference}: {session.status} due {session.amount_due} "
            f"undo={session.undo_reason!r} cancel={session.cancel_requested} "
            f"target={session.refund_target} look={session.next_look_at} "
            f"claimed={session.claimed_until}"
        )
        for row in session.redemptions.order_by("position", "leg"):
            lines.append(
                f"  {row.display_code} {row.status} {row.amount} of {row.balance} "
                f"proof={row.proof!r} attention={row.attention_code!r} "
                f"ids={row.redemption_ids}"
            )
            lines += [
                f"    {event.created_at:%H:%M:%S.%f} {event.operation} {event.outcome}"
                f" -> {event.status} {event.reason} {event.amount} {event.balance}"
                for event in row.events.order_by("id")
            ]
    for message in InboxMessage.objects.order_by("pk"):
        steps = [f"{one.step} {one.reason}" for one in message.events.order_by("pk")]
        lines.append(
            f"{message.webhook_id}: {message.type} {message.status} {message.code} "
            f"target={message.refund_target} {steps}"
        )
    return "\n" + "\n".join(lines)


def forget_everything() -> None:
    """Empty our tables: the journal, rightly, refuses to by itself."""
    with connection.cursor() as cursor:
        for model in (
            InboxEvent,
            InboxMessage,
            CapabilityRecord,
            WebhookAttempt,
            WebhookDelivery,
            StaffNotice,
            OutboxEvent,
            DeskAction,
            DeskLookUp,
            RedemptionEvent,
            Redemption,
            SessionSecret,
            PaymentSession,
            VoucherOrderEvent,
            VoucherOrderItem,
            VoucherOrder,
        ):
            table = connection.ops.quote_name(model._meta.db_table)
            if model is Redemption:
                cursor.execute(f"UPDATE {table} SET replaces_id = NULL")
            cursor.execute(f"DELETE FROM {table}")


def probe_once(sandbox: Sandbox, **scope: Any) -> CapabilityRecord:
    """Find out how this Smart Gift behaves, and see that nothing is missing then."""
    report = probing.probe(
        account=get_conf().account("default"),
        site_id="1",
        voucher_no="GOOD-1000-0001",
        scope=probing.Scope(**scope),
    )
    assert report.missing == 0
    assert (report.record.owed, report.in_doubt) == ([], 0)
    assert sandbox.voucher("GOOD-1000-0001").balance == 1000
    return report.record


def attempt(verb: Callable[..., Any], **values: Any) -> Any:
    """Call a verb; returns what it returned, or the code of its refusal."""
    try:
        return verb(**values)
    except PaymentError as error:
        return error.code

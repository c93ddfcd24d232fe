"""What a session or an order comes to: the frozen pictures that doors hand out.

Reads only. Amounts are folded from the redemptions: ``amount_redeemed`` is what a
confirmation took, ``amount_refunded`` what has really gone back since.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from wagtail_smartgift import clock, codes
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    OrderStatus,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    OutboxEvent,
    PaymentSession,
    Redemption,
    RedemptionEvent,
    VoucherOrder,
    VoucherOrderItem,
)


logger = logging.getLogger(__name__)

ZERO = Decimal("0.00")
#: How the redemptions of a session are shown, and allocated.
IN_ORDER = ("position", "leg")
#: What may be so before a voucher was looked at for the first time.
_UNSEEN = frozenset({RedemptionStatus.HELD, RedemptionStatus.REFUSED})
#: How long after its first call a number may be refused and not told so; somewhat more
#: than ``guessing.REFUSED_AFTER``.
BEING_REFUSED = timedelta(seconds=3)
#: Sessions that something is still being done about.
PENDING = frozenset(
    {SessionStatus.CONFIRMING, SessionStatus.CANCELLING, SessionStatus.REFUNDING}
)


@dataclass(frozen=True)
class RedemptionState:
    """One voucher in a session, without its number."""

    id: UUID
    display_code: str
    type: str
    status: str
    #: What it covers, or took.
    amount: Decimal
    #: What it holds; None while that is not known.
    balance: Decimal | None
    #: Chosen bit values of an experience voucher.
    experiences: tuple[int, ...]
    held_until: datetime | None
    #: ``(bit_value, name)`` of what could be chosen.
    experiences_available: tuple[tuple[int, str], ...] = ()
    #: When a hold whose answer was lost is over: until then it is most likely ours.
    lost_until: datetime | None = None
    #: The most that its customer wants it to cover; None: whatever it holds.
    amount_limit: Decimal | None = None


@dataclass(frozen=True)
class Session:
    """A payment session as it is now."""

    id: UUID
    reference: str
    currency: str
    amount_due: Decimal
    amount_eligible: Decimal
    #: What vouchers cover: allocated while open, redeemed less refunded afterwards.
    amount_covered: Decimal
    #: What has to be paid another way.
    amount_remaining: Decimal
    amount_redeemed: Decimal
    amount_refunded: Decimal
    status: str
    now: datetime
    redemptions: tuple[RedemptionState, ...]
    metadata: dict[str, object] = field(default_factory=dict)
    #: Opens this session through the storefront API; only ``open_session`` has it.
    client_secret: str | None = field(default=None, repr=False)

    @property
    def pending(self) -> bool:
        """Whether what was asked for is not settled yet."""
        return self.status in PENDING


def describe(
    session: PaymentSession,
    *,
    client_secret: str | None = None,
    redemptions: Sequence[Redemption] | None = None,
    now: datetime | None = None,
) -> Session:
    """Picture a session and its redemptions, by the database's clock (two queries).

    ``redemptions`` are all of them in ``IN_ORDER``, and ``now`` is the time, where many
    sessions were read at once (no query).
    """
    rows = (
        list(session.redemptions.order_by(*IN_ORDER))
        if redemptions is None
        else list(redemptions)
    )
    if now is None:
        now = clock.now()
    covered = standing(rows)
    if session.status == SessionStatus.OPEN:
        covered = allocated(rows)
    # While it is being confirmed, what is not redeemed yet is still meant to be: the
    # shop must not ask its customer for it a second time.
    planned = covered
    if session.status == SessionStatus.CONFIRMING:
        planned += allocated(rows, also=(RedemptionStatus.REDEEMING,))
    return Session(
        id=session.pk,
        reference=session.reference,
        currency=session.currency,
        amount_due=session.amount_due,
        amount_eligible=session.amount_eligible,
        amount_covered=covered,
        amount_remaining=max(ZERO, session.amount_due - planned),
        amount_redeemed=taken(rows),
        amount_refunded=taken(rows) - standing(rows),
        status=session.status,
        now=now,
        redemptions=tuple(
            describe_redemption(row, now=now)
            for row in rows
            if is_listed(row) or _is_being_refused(row, session, now)
        ),
        metadata=session.metadata,
        client_secret=client_secret,
    )


def is_listed(row: Redemption) -> bool:
    """Tell whether a redemption is part of what a customer is shown.

    A released one is not, nor a number that never was in the session at all.
    """
    if row.status == RedemptionStatus.RELEASED:
        return False
    return row.status != RedemptionStatus.REFUSED or row.balance is not None


def _is_being_refused(row: Redemption, session: PaymentSession, now: datetime) -> bool:
    """Tell whether a number has been refused, and whoever tried it is not told yet.

    Until then it stays where it was: by when it vanishes one could tell whether one
    answer of Smart Gift's was needed, for a number that nobody knows, or three.
    """
    return (
        row.status == RedemptionStatus.REFUSED
        and session.status == SessionStatus.OPEN
        and session.claimed_until is not None
        and row.hold_sent_at is not None
        and row.hold_sent_at > now - BEING_REFUSED
    )


def describe_redemption(
    row: Redemption, *, now: datetime | None = None
) -> RedemptionState:
    """Picture one voucher of a session: as it is stored, or as it is ``now``.

    By then, by the database's clock, a hold that is over is ``lapsed``, whether or not
    anybody has met it since. Before a voucher was looked at for the first time it is
    ``holding``, held or not: whoever guesses numbers must not see that one exists which
    then cannot be used.
    """
    status = row.status
    ends = row.held_until if status == RedemptionStatus.HELD else None
    if ends is not None and now is not None and ends <= now:
        status = RedemptionStatus.LAPSED
    if row.balance is None and status in _UNSEEN:
        status = RedemptionStatus.HOLDING
    return RedemptionState(
        id=row.pk,
        display_code=row.display_code,
        type=row.type,
        status=status,
        amount=row.amount,
        balance=row.balance,
        experiences=tuple(row.experiences),
        held_until=row.held_until if status == RedemptionStatus.HELD else None,
        experiences_available=tuple(
            (item["bit_value"], item["name"]) for item in row.experiences_available
        ),
        lost_until=row.held_until if row.status == RedemptionStatus.HOLDING else None,
        amount_limit=row.amount_limit,
    )


def plan(state: Session) -> str:
    """Digest what a confirmation would take: from which vouchers, how much, of what due.

    Whoever has shown a payment to a person hands it to ``payments.confirm``, which then
    takes this and nothing else. Two digests are compared, and nothing is read from one.
    """
    shares = [
        [str(row.id), str(row.amount), sorted(row.experiences)]
        for row in state.redemptions
        if row.status in COUNTED_REDEMPTION_STATUSES and row.amount
    ]
    content = json.dumps([str(state.amount_due), shares])
    return hashlib.sha256(content.encode()).hexdigest()


def journal(session_id: UUID) -> QuerySet[RedemptionEvent]:
    """Return every event of a session's redemptions, oldest first."""
    return (
        RedemptionEvent.objects.filter(redemption__session_id=session_id)
        .select_related("redemption")
        .order_by("id")
    )


def allocated(
    rows: Sequence[Redemption], *, also: Sequence[RedemptionStatus] = ()
) -> Decimal:
    """Return what vouchers that are not redeemed yet are to cover."""
    statuses = {*COUNTED_REDEMPTION_STATUSES, *also}
    return sum((row.amount for row in rows if row.status in statuses), ZERO)


def taken(rows: Sequence[Redemption]) -> Decimal:
    """Return what the confirmation took, refunds or not."""
    return sum((row.amount for row in rows if row.proof and not row.replaces_id), ZERO)


def standing(rows: Sequence[Redemption]) -> Decimal:
    """Return what is redeemed still."""
    return sum(
        (
            row.amount
            for row in rows
            if row.proof and row.status != RedemptionStatus.REVERSED
        ),
        ZERO,
    )


def refunded(rows: Sequence[Redemption]) -> Decimal:
    """Return what has really gone back onto vouchers."""
    return taken(rows) - standing(rows)


@dataclass(frozen=True)
class OrderItem:
    #: Smart Gift's id of the product.
    product: int
    price: Decimal
    persons: int | None
    #: The voucher's number, bearer money; None while it is not known.
    voucher_no: str | None = field(repr=False)


@dataclass(frozen=True)
class Order:
    """A sale of vouchers as it is now."""

    reference: str
    status: str
    #: Smart Gift's number for it, once placed and answered.
    order_id: str | None
    items: tuple[OrderItem, ...]
    #: The documented code for why it is not placed (yet).
    code: str | None = None
    #: The very call that returned this sold it: not an earlier one, nor another one at
    #: the same moment. It says nothing about the order, so it is not compared.
    placed_now: bool = field(default=False, compare=False)

    @property
    def pending(self) -> bool:
        """Whether it is not placed yet, but may still be."""
        return self.status in {OrderStatus.QUEUED, OrderStatus.PLACING}


def describe_order(order: VoucherOrder) -> Order:
    """Picture an order and its items (one query)."""
    placed = order.status == OrderStatus.PLACED
    return Order(
        reference=order.reference,
        status=order.status,
        order_id=order.order_id or None,
        items=tuple(
            OrderItem(
                product=item.product.remote_id,
                price=item.price,
                persons=item.persons,
                voucher_no=_number(item) if placed else None,
            )
            for item in order.items.select_related("product").order_by("position")
        ),
        code=_why_not_placed(order),
    )


@dataclass(frozen=True)
class CatalogueNews:
    """What a sync found to be new in an account's catalogue, in products.

    After a sync that was interrupted they may be fewer than what has changed.
    """

    account: str
    synced_at: datetime
    added: int
    changed: int
    #: No longer listed by Smart Gift.
    gone: int
    #: Listed again.
    returned: int


def describe_event(event: OutboxEvent) -> Session | Order | CatalogueNews:
    """Picture what an event is about, as it is now."""
    if event.session is not None:
        return describe(event.session)
    if event.order is not None:
        return describe_order(event.order)
    details = event.details
    return CatalogueNews(
        account=event.account,
        synced_at=datetime.fromisoformat(details["synced_at"]),
        added=details["added"],
        changed=details["changed"],
        gone=details["gone"],
        returned=details["returned"],
    )


def _number(item: VoucherOrderItem) -> str | None:
    if not item.number_encrypted:
        return None
    try:
        return codes.decrypt(item.number_encrypted, keys=get_conf().encryption_keys)
    except codes.UndecryptableError:
        logger.error(
            "The number of voucher %s cannot be read: its encryption key is gone.",
            item.display_code,
        )
        return None


def _why_not_placed(order: VoucherOrder) -> str | None:
    """Return one of the documented codes."""
    if order.status == OrderStatus.REFUSED:
        return "order_refused"
    if order.status == OrderStatus.NEEDS_ATTENTION:
        return "needs_attention"
    # Of one that is being placed, what a refusal was about; it is not believed yet.
    return order.refusal or None if order.status == OrderStatus.QUEUED else None

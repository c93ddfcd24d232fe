"""Finding out what became of an order that was not answered, or refused.

It is asked for by the number that we gave its first voucher. Found: it was sold. Not
found: a refusal was true; one that nobody answered was not sold, where a probe has
shown that this can be told (``capabilities``), and is sent again; or else a person
decides.
"""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from wagtail_smartgift import capabilities, clock, codes
from wagtail_smartgift.choices import Lane, OrderStatus, Outcome
from wagtail_smartgift.client import RefusalReason, Refused, SmartGiftError
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import VoucherOrder, VoucherOrderEvent
from wagtail_smartgift.services import claims, gateway, vault
from wagtail_smartgift.services import sales_journal as journal
from wagtail_smartgift.services.sales_journal import After
from wagtail_smartgift.services.timebox import TimeBox, is_kept_back


#: Seconds between looks at an order of unknown outcome while Smart Gift does not
#: answer; after the last one a person decides.
LOOK_AFTER = (35, 60, 120, 240, 480, 960, 1920, 3600)
#: How often an order that was found not to be sold is sent again before a person looks
#: why its answers are lost.
RESENDS = 3
#: Seconds that a look waits when only our own gate was in its way.
_GATE_PAUSE = 5.0
#: Refusals of a look that Smart Gift can only make of a voucher that exists.
_EXISTS = {
    RefusalReason.ALREADY_HELD,
    RefusalReason.NOT_HELD,
    RefusalReason.NOT_ENOUGH_BALANCE,
}
#: What the journal says of a refusal that may mean "this is sold already".
_TAKEN = {RefusalReason.DUPLICATE_REFERENCE.value, RefusalReason.INVALID_CODE.value}

S = OrderStatus


def look(order: VoucherOrder, account: Account, box: TimeBox) -> After:
    """Find out what became of an order that was sent and not answered, or refused.

    What is next, where it was not sold, may be sending it again.
    """
    if not _claim_look(order):
        return After.REST
    first = order.items.order_by("position").first()
    if not order.own_codes or first is None or not first.number_encrypted:
        # Nothing that we could ask for.
        hand_over(order, _doubt(order))
        return After.REST
    try:
        number = vault.open_sealed(first.number_encrypted)
    except codes.UndecryptableError:
        hand_over(order, journal.UNDECRYPTABLE)
        return After.REST
    client = gateway.connect(account, patience=box.patience, asker=str(order.pk))
    # Before the question: a sale that is made after it is not in the answer.
    asked_at = clock.now()
    try:
        client.check(
            voucher_no=number, site_id=order.smartgift_site_id, lane=Lane.MONEY
        )
    except Refused as error:
        return _take_look(order, account, error, asked_at)
    except SmartGiftError as error:
        _look_later(order, error)
    else:
        return _found(order, reason="found")
    return After.REST


def _claim_look(order: VoucherOrder) -> bool:
    """Take an order of unknown outcome; False if somebody else has it."""
    with transaction.atomic(durable=True):
        now = clock.now()
        if not journal.update(
            order,
            Q(claimed_until__isnull=True) | Q(claimed_until__lt=now),
            claimed_by=str(uuid.uuid4()),
            claimed_until=now + timedelta(seconds=claims.claim_seconds()),
        ):
            return False
        answered = order.events.filter(
            operation=journal.PLACE, attempt=order.attempt
        ).exclude(outcome=Outcome.REQUESTED)
        if not answered.exists():
            journal.append(order, journal.PLACE, Outcome.UNKNOWN, reason="worker_died")
            VoucherOrder.objects.filter(pk=order.pk).update(looks=0)
            order.looks = 0
    return True


def _take_look(
    order: VoucherOrder, account: Account, error: Refused, asked_at: datetime
) -> After:
    """Decide by a refusal of the first voucher's number.

    Only "that number is invalid" can mean that nothing was sold, and only a documented
    word about a voucher that is there means that it was: a text that is not known may be
    about anything, and a gateway's 400 or 413 comes before anybody has looked.
    """
    late_at = journal.sent_at(order) + timedelta(seconds=get_conf().late)
    last = _last_placing(order)
    if error.reason in _EXISTS:
        return _found(order, reason=error.reason.value)
    if error.reason is not RefusalReason.INVALID_VOUCHER:
        _look_later(order, error)
    elif _was_answered(order, last) and not (
        asked_at < late_at and _may_be_hidden(last, account)
    ):
        return _believe(order, last)
    elif asked_at < late_at:
        journal.step(
            order,
            journal.CHECK,
            Outcome.SUCCEEDED,
            reason="not_found",
            **journal.later(late_at),
        )
    elif _may_be_sent_again(order, account):
        return _send_again(order)
    elif _was_refused(order) and capabilities.of(account).not_found_is_not_sold:
        # Sent again and refused for a reason of its own, and the earlier one never came.
        journal.step(
            order,
            journal.CHECK,
            Outcome.SUCCEEDED,
            reason=journal.NOT_SOLD,
            refusal=order.refusal or "other",
            **journal.settled(S.REFUSED),
        )
    else:
        # Whether a voucher can be checked the moment it is sold is not documented,
        # so that it is not found does not prove that it was not sold.
        hand_over(order, _doubt(order), reason="not_found")
    return After.REST


def _was_answered(order: VoucherOrder, last: VoucherOrderEvent) -> bool:
    """Tell whether nothing of ours can still be on its way, and the last was refused.

    A word about the reference is no such refusal: somebody has sold something by it.
    """
    return (
        last.outcome == Outcome.FAILED
        and last.reason != RefusalReason.DUPLICATE_REFERENCE.value
        and not journal.was_unanswered(order)
    )


def _may_be_hidden(last: VoucherOrderEvent, account: Account) -> bool:
    """Tell whether a sale that took our number might not be found by it yet.

    Where a probe has seen that new numbers are not, and the order would be sent again.
    """
    hidden = capabilities.of(account).code_checkable_at_once is False
    return hidden and last.reason == RefusalReason.INVALID_CODE.value


def _believe(order: VoucherOrder, last: VoucherOrderEvent) -> After:
    """Take a refusal for what it is: its first number is not found, so nothing was sold."""
    if last.reason == RefusalReason.INVALID_CODE.value:
        return _drop_codes(order)
    journal.step(
        order,
        journal.CHECK,
        Outcome.SUCCEEDED,
        reason="not_found",
        refusal=order.refusal or "other",
        **journal.settled(S.REFUSED),
    )
    return After.REST


def _drop_codes(order: VoucherOrder) -> After:
    """Give up numbers of our own for this order: it was refused because of them."""
    with transaction.atomic(durable=True):
        moved = journal.update(
            order,
            status=S.QUEUED,
            own_codes=False,
            refusal="",
            **journal.later(clock.now()),
        )
        if moved:
            journal.append(
                order, journal.CHECK, Outcome.SUCCEEDED, reason=journal.CODE_REFUSED
            )
            order.items.update(
                number_encrypted="",
                fingerprint="",
                fingerprint_next="",
                display_code="",
            )
    return After.NEXT if moved else After.REST


def _may_be_sent_again(order: VoucherOrder, account: Account) -> bool:
    """Tell whether an order whose number is not found may be sent again.

    A probe must have shown that numbers of ours are taken, that a new one can be
    checked at once, and that what comes twice is sold once. One that Smart Gift has
    refused is not: it would be refused again.
    """
    resent = order.events.filter(
        operation=journal.CHECK, reason=journal.NOT_SOLD
    ).count()
    return (
        _last_placing(order).outcome != Outcome.FAILED
        and resent < RESENDS
        and capabilities.of(account).may_sell_again
    )


def _send_again(order: VoucherOrder) -> After:
    """Queue an order that was not sold: the same reference, the same numbers."""
    queued = journal.step(
        order,
        journal.CHECK,
        Outcome.SUCCEEDED,
        reason=journal.NOT_SOLD,
        status=S.QUEUED,
        refusal=journal.UNAVAILABLE,
        looks=0,
        **journal.later(clock.now()),
    )
    return After.NEXT if queued else After.REST


def _found(order: VoucherOrder, *, reason: str) -> After:
    """The first voucher exists, so the order was placed; its number stays unknown."""
    placed = journal.step(
        order,
        journal.CHECK,
        Outcome.SUCCEEDED,
        reason=reason,
        refusal="",
        refusal_detail="",
        **journal.settled(S.PLACED),
    )
    return After.PLACED if placed else After.REST


def _look_later(order: VoucherOrder, error: SmartGiftError) -> None:
    kept_back = is_kept_back(error)
    if not kept_back and order.looks >= len(LOOK_AFTER):
        hand_over(order, _doubt(order), reason=journal.word(error))
        return
    wait = error.retry_after or (_GATE_PAUSE if kept_back else LOOK_AFTER[order.looks])
    journal.step(
        order,
        journal.CHECK,
        Outcome.FAILED,
        reason=journal.word(error),
        looks=order.looks + (not kept_back),
        **journal.later(clock.now() + timedelta(seconds=wait)),
    )


def _doubt(order: VoucherOrder) -> str:
    """Return why nobody knows: no answer, or a refusal of the reference as taken."""
    return (
        journal.REFERENCE_TAKEN
        if _last_placing(order).reason in _TAKEN
        else journal.SALE_UNKNOWN
    )


def _was_refused(order: VoucherOrder) -> bool:
    """Tell whether Smart Gift refused it, and not for something that is taken.

    Where it has called the reference or the number taken, somebody has sold something.
    """
    last = _last_placing(order)
    return last.outcome == Outcome.FAILED and last.reason not in _TAKEN


def _last_placing(order: VoucherOrder) -> VoucherOrderEvent:
    return order.events.filter(operation=journal.PLACE).latest("id")


def hand_over(order: VoucherOrder, code: str, *, reason: str = "") -> None:
    """Leave the rest to a person."""
    journal.step(
        order,
        journal.CHECK,
        Outcome.UNKNOWN,
        reason=reason or code,
        **journal.settled(S.NEEDS_ATTENTION, attention_code=code),
    )

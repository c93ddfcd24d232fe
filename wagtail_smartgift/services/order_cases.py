"""Settling sales of which nobody knows whether they were made; as ``cases``, for orders.

A sale that a person calls not made may be sent again: then a wrong word sells twice.
So that is only offered where nothing speaks against it, and Smart Gift gets the same
reference and numbers as before.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from wagtail.log_actions import log

from wagtail_smartgift import clock
from wagtail_smartgift.choices import AttentionReason, OrderStatus, Outcome, Verdict
from wagtail_smartgift.codes import MAX_VOUCHER_NUMBER_LENGTH, display_code
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.redaction import Secret, hidden
from wagtail_smartgift.services import attention, numbers, sales, vault
from wagtail_smartgift.services import sales_journal as journal
from wagtail_smartgift.services.cases import SETTLE_ACTION, Moved, NotSettled
from wagtail_smartgift.services.worker import ForeignRow, account_of


S = OrderStatus
#: ``VoucherOrder.refusal`` of an order that a person has given up.
GIVEN_UP = "given_up"


def verdicts(order: VoucherOrder) -> tuple[Verdict, ...]:
    """Return what can be said of an order that needs a person."""
    if order.status != S.NEEDS_ATTENTION:
        return ()
    found = [Verdict.SOLD]
    # Somebody has sold something: never send it again then.
    taken = {AttentionReason.REFERENCE_TAKEN, AttentionReason.SOLD_TWICE}
    if order.attention_code not in taken:
        found.append(Verdict.NOT_SOLD)
    found.append(Verdict.GIVEN_UP)
    if order.own_codes and order.attention_code != AttentionReason.SOLD_TWICE:
        found.append(Verdict.LOOK_AGAIN)
    return tuple(found)


def settle(
    *,
    order_id: UUID,
    verdict: Verdict,
    seen: int | str,
    user: Any,
    note: str,
    order_number: str = "",
    voucher_numbers: Mapping[int, str] | None = None,
) -> VoucherOrder:
    """Write down what a person says of an order, and let it go on.

    ``seen`` is the version that they were shown; ``voucher_numbers`` are those of its
    items by position, where they are not the ones that we know.

    Raises:
        Moved: it is not what they were shown any more; nothing was written.
        NotSettled: ``not_offered``, ``foreign``, ``number_in_note``, ``number_too_long``,
            ``number_as_order``, ``number_of_another`` (a voucher of another order).
    """
    note, voucher_numbers = Secret(note), hidden(dict(voucher_numbers or {}))
    order = VoucherOrder.objects.filter(pk=order_id).first()
    if order is None or str(order.version) != str(seen):
        raise Moved
    if verdict not in verdicts(order):
        raise NotSettled("not_offered")
    try:
        account_of(order)
    except ForeignRow:
        raise NotSettled("foreign") from None
    typed = _read_numbers(voucher_numbers)
    _refuse_numbers_in(note, order_number, order, typed)
    try:
        with transaction.atomic(durable=True):
            if not journal.update(order, **_changes(order, verdict, order_number)):
                raise Moved
            journal.append(
                order,
                journal.SETTLE,
                Outcome.SUCCEEDED,
                reason=verdict.value,
                actor=user.get_username(),
                note=str(note),
            )
            if typed and verdict is Verdict.SOLD:
                _keep_numbers(order, typed)
            journal.tell(order)
            attention.forget(order=order)
            data = {"verdict": verdict.value, "reason": str(note)}
            log(instance=order, action=SETTLE_ACTION, user=user, data=data)
    except IntegrityError:
        raise NotSettled("number_of_another") from None
    return sales.advance(VoucherOrder.objects.get(pk=order.pk))


def _changes(
    order: VoucherOrder, verdict: Verdict, order_number: str
) -> dict[str, Any]:
    if verdict is Verdict.SOLD:
        return {
            **journal.settled(S.PLACED),
            "order_id": order_number[:128] or order.order_id,
            "refusal": "",
        }
    if verdict is Verdict.GIVEN_UP:
        return {**journal.settled(S.REFUSED), "refusal": GIVEN_UP}
    # One that never left is sent, and not looked for.
    looks = verdict is Verdict.LOOK_AGAIN and order.sent_at is not None
    return {
        **journal.settled(S.PLACING if looks else S.QUEUED),
        "refusal": "" if looks else journal.UNAVAILABLE,
        "looks": 0,
        "next_look_at": clock.now(),
    }


def _read_numbers(typed: Mapping[int, str]) -> dict[int, str]:
    read = hidden({place: vault.normalise(text) for place, text in typed.items()})
    # What was pasted may be invisible, and is then no number.
    found: dict[int, str] = {place: one for place, one in read.items() if one}
    if any(len(one) > MAX_VOUCHER_NUMBER_LENGTH for one in found.values()):
        raise NotSettled("number_too_long")
    return found


def _refuse_numbers_in(
    note: str, order_number: str, order: VoucherOrder, typed: Mapping[int, str]
) -> None:
    """Refuse the number of any voucher of the order in what a person has typed."""
    note, order_number = Secret(note), Secret(order_number)
    known = hidden([*typed.values(), *numbers.known(order.items.all())])
    if numbers.are_in([note], known):
        raise NotSettled("number_in_note")
    if numbers.are_among([order_number], known):
        raise NotSettled("number_as_order")


def _keep_numbers(order: VoucherOrder, typed: Mapping[int, str]) -> None:
    account = account_of(order)
    for position, number in typed.items():
        changed = VoucherOrderItem.objects.filter(
            order=order, position=position
        ).update(
            number_encrypted=vault.seal(number),
            fingerprint=vault.fingerprint(number, account=account),
            fingerprint_next="",
            display_code=display_code(number),
        )
        if not changed:
            raise NotSettled("not_offered")

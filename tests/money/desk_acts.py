"""What people at the desk do in processes of their own: settle a case, refund."""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User

from wagtail_smartgift import payments
from wagtail_smartgift.choices import Verdict
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import DeskAction, PaymentSession, Redemption
from wagtail_smartgift.services import cases, desk, evidence

from .world import attempt


REF = "order-1"


def case_without_ids() -> str:
    """Have a payment be cancelled that nobody can give back; returns what is seen."""
    Redemption.objects.update(redemption_ids=[], proof="balance")
    attempt(payments.cancel, reference=REF)
    return case_seen()


def case_seen() -> str:
    row = Redemption.objects.select_related("session").get(status="needs_attention")
    case = evidence.of(row)
    assert case is not None
    return case.version


def settle(verdict: str, seen: str, ids: Any = (), who: str = "miller") -> str:
    """Say something of the case; returns the payment's status, or that it has moved."""
    row = Redemption.objects.order_by("created_at").last()
    assert row is not None
    try:
        session = cases.settle(
            redemption_id=row.pk,
            verdict=Verdict(verdict),
            seen=seen,
            user=_user(who),
            note="Seen in the dashboard.",
            redemption_ids=tuple(ids),
        )
    except cases.Moved:
        return "moved"
    return str(session.status)


def desk_refund(form_id: str, amount: str, before: str, who: str = "miller") -> str:
    """Send a form of the voucher desk; returns the payment's status, or its refusal."""
    instruction = desk.Instruction(
        form_id=uuid.UUID(form_id),
        user=_user(who),
        reason="On the telephone.",
        amount=Decimal(amount),
    )
    session = PaymentSession.objects.get(reference=REF)
    try:
        state = desk.refund(instruction, session, refunded_before=Decimal(before))
    except PaymentError as error:
        return error.code
    return str(state.status)


def make_staff() -> None:
    for name in ("miller", "baker"):
        User.objects.get_or_create(username=name)


def _user(name: str) -> User:
    return User.objects.get(username=name)


def settled_by() -> list[list[str]]:
    """Return who has settled what."""
    row = Redemption.objects.order_by("created_at").first()
    assert row is not None
    events = row.events.filter(operation="settle").order_by("id")
    return [[event.actor, event.reason] for event in events]


def desk_actions() -> int:
    return DeskAction.objects.count()

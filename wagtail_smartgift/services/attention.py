"""Telling staff by mail (``ATTENTION_EMAILS``) what needs a person: at least once.

A notice is written with the event, so no crash loses it; the sweep sends one mail for
all that are waiting, and the next one no sooner than five minutes later. A mail says
which payment or order, and why; of a voucher only the last characters of its number.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urljoin

from django.conf import settings as django_settings
from django.core.mail import EmailMessage
from django.db.models import Max, Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_smartgift.choices import (
    AttentionReason,
    OrderStatus,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    OutboxEvent,
    PaymentSession,
    StaffNotice,
    VoucherOrder,
)


logger = logging.getLogger(__name__)

EVENTS = frozenset({"session.needs_attention", "voucher_order.needs_attention"})
#: Seconds between two mails, however many cases there are.
QUIET = 300
#: Seconds after which whoever was sending a mail is taken for dead.
CLAIM = 300
#: Notices in one mail, and how many of them it describes.
BATCH, DESCRIBED = 1000, 50


def plan(event: OutboxEvent) -> None:
    """Write, in the caller's transaction, that staff are to be told."""
    if event.type in EVENTS and get_conf().attention_emails:
        StaffNotice.objects.create(event=event)


def forget(
    *, session: PaymentSession | None = None, order: VoucherOrder | None = None
) -> None:
    """Tell nobody any more of a case that a person has just settled.

    Part of the caller's transaction. One that is being mailed at this moment is told.
    """
    StaffNotice.objects.filter(
        event__session=session, event__order=order, told_at__isnull=True
    ).delete()


def tell_staff() -> int:
    """Send one mail about all that is waiting; returns of how many cases it tells."""
    recipients = get_conf().attention_emails
    if not recipients:
        return 0
    notices = _claim()
    if not notices:
        return 0
    cases = [notice.event for notice in notices if _still_needs_a_person(notice.event)]
    if cases:
        try:
            _mail(cases, recipients)
        except Exception:
            # The host's mail is the host's: the claims run out, and it is tried again.
            logger.exception("Staff could not be told of %d cases.", len(cases))
            return 0
    StaffNotice.objects.filter(pk__in=[notice.pk for notice in notices]).update(
        told_at=timezone.now(), claimed_by="", claimed_until=None
    )
    return len(cases)


def _claim() -> list[StaffNotice]:
    """Take what nobody is telling; nothing while the last mail is fresh."""
    now = timezone.now()
    last = StaffNotice.objects.aggregate(last=Max("told_at"))["last"]
    if last is not None and last > now - timedelta(seconds=QUIET):
        return []
    waiting = Q(told_at__isnull=True) & (
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    )
    ours = OutboxEvent.bound_to(get_conf().accounts.values(), prefix="event__")
    ids = list(
        StaffNotice.objects.filter(waiting, ours)
        .order_by("pk")
        .values_list("pk", flat=True)[:BATCH]
    )
    worker = str(uuid.uuid4())
    StaffNotice.objects.filter(waiting, pk__in=ids).update(
        claimed_by=worker, claimed_until=now + timedelta(seconds=CLAIM)
    )
    return list(
        StaffNotice.objects.filter(claimed_by=worker, told_at__isnull=True)
        .select_related("event__session", "event__order")
        .order_by("pk")
    )


def _still_needs_a_person(event: OutboxEvent) -> bool:
    if event.session is not None:
        return event.session.status == SessionStatus.NEEDS_ATTENTION
    return event.order is not None and (
        event.order.status == OrderStatus.NEEDS_ATTENTION
    )


def _mail(cases: Sequence[OutboxEvent], recipients: Sequence[str]) -> None:
    with translation.override(django_settings.LANGUAGE_CODE):
        EmailMessage(
            subject=_subject(len(cases)),
            body="\n\n".join(_paragraphs(cases)) + "\n",
            to=list(recipients),
        ).send()


def _subject(count: int) -> str:
    return ngettext(
        "Gift vouchers: %(count)d case needs a person",
        "Gift vouchers: %(count)d cases need a person",
        count,
    ) % {"count": count}


def _paragraphs(cases: Sequence[OutboxEvent]) -> list[str]:
    parts = [
        _(
            "These cannot be settled without a person. Look them up in the Smart Gift "
            "dashboard."
        ),
        *(_with_address(event) for event in cases[:DESCRIBED]),
    ]
    more = len(cases) - DESCRIBED
    if more > 0:
        parts.append(
            ngettext("And %(count)d more.", "And %(count)d more.", more)
            % {"count": more}
        )
    address = _admin_address()
    if address:
        parts.append(address)
    return parts


def _with_address(event: OutboxEvent) -> str:
    """Describe a case, and say where it is settled."""
    if event.session is not None:
        address = _address("smartgift_attention:payment", event.session.pk)
    else:
        address = _address("smartgift_attention:order", event.order and event.order.pk)
    return "\n".join(filter(None, (_describe(event), address)))


def _describe(event: OutboxEvent) -> str:
    if event.session is not None:
        return _describe_payment(event.session)
    assert event.order is not None  # noqa: S101 - both kinds of EVENTS are about one
    return _describe_order(event.order)


def _describe_payment(session: PaymentSession) -> str:
    vouchers = session.redemptions.filter(status=RedemptionStatus.NEEDS_ATTENTION)
    lines = [
        _("Payment %(reference)s: %(why)s")
        % {"reference": session.reference, "why": _why(session.attention_code)}
    ]
    lines += [
        _("Voucher %(code)s: %(why)s")
        % {"code": row.display_code, "why": _why(row.attention_code)}
        for row in vouchers.order_by("position", "leg")
    ]
    return "\n".join(lines)


def _describe_order(order: VoucherOrder) -> str:
    return _("Voucher order %(reference)s: %(why)s") % {
        "reference": order.reference,
        "why": _why(order.attention_code),
    }


def _why(code: str) -> str:
    """Return the sentence for a word of ours; the word itself where there is none."""
    return str(dict(AttentionReason.choices).get(code, code))


def _admin_address() -> str:
    return _address("smartgift_attention:index")


def _address(name: str, *args: object) -> str:
    base = getattr(django_settings, "WAGTAILADMIN_BASE_URL", None)
    if not base:
        return ""
    try:
        return urljoin(str(base), reverse(name, args=args))
    except NoReverseMatch:
        return ""

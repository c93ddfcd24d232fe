"""Telling staff by mail (``ATTENTION_EMAILS``) what needs a person: at least once.

A notice is written with the event, so no crash loses it; the sweep sends one mail for
all that are waiting, and the next one no sooner than five minutes later. A mail says
which payment or order, and why; of a voucher only the last characters of its number.

A mail server that says nothing holds the sweep up for some seconds, and no other sweep:
the claims on its notices run out by themselves.
"""

import logging
import uuid
from collections.abc import Collection, Sequence
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
from wagtail_smartgift.services import mailing


logger = logging.getLogger(__name__)

EVENTS = frozenset({"session.needs_attention", "voucher_order.needs_attention"})
#: Seconds between two mails, however many cases there are.
QUIET = 300
#: Seconds after which whoever was sending a mail is taken for dead.
CLAIM = 300
#: Seconds for which a pass waits for the host's mail: a server takes one in a few.
SECONDS = 30.0
#: Notices in one mail, and how many of them it describes.
BATCH, DESCRIBED = 1000, 50

#: What needs a person.
Case = PaymentSession | VoucherOrder

#: The mail that this process waited for in vain, and the notices that it is about.
_late: list[tuple[mailing.Sending, list[int]]] = []


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
    if not recipients or _is_still_sending():
        return 0
    notices = _claim()
    if not notices:
        return 0
    ids = [notice.pk for notice in notices]
    cases = [case for notice in notices if (case := _case(notice.event)) is not None]
    if cases and not _send(_mail(cases, recipients), ids, len(cases)):
        # The host's mail is the host's: the claims run out, and it is tried again.
        return 0
    _note_told(ids)
    return len(cases)


def _send(message: EmailMessage, notice_ids: list[int], count: int) -> bool:
    """Hand a mail to the host's backend; returns whether it has taken it."""
    sending = mailing.Sending(message)
    if not sending.is_over(within=SECONDS):
        _late.append((sending, notice_ids))
        logger.error(
            "Staff could not be told of %d cases: the mail server has not answered for "
            "%.0f seconds. Give the mail backend a timeout.",
            count,
            SECONDS,
        )
        return False
    if sending.failure is not None:
        logger.error(
            "Staff could not be told of %d cases.", count, exc_info=sending.failure
        )
        return False
    return True


def _is_still_sending() -> bool:
    """Tell whether an earlier mail is still on its way; what came of it is noted."""
    for late in list(_late):
        sending, notice_ids = late
        if not sending.is_over(within=0):
            return True
        _late.remove(late)
        if sending.failure is None:
            _note_told(notice_ids)
    return False


def _note_told(notice_ids: Collection[int]) -> None:
    StaffNotice.objects.filter(pk__in=notice_ids, told_at__isnull=True).update(
        told_at=timezone.now(), claimed_by="", claimed_until=None
    )


def _claim() -> list[StaffNotice]:
    """Take what nobody is telling; nothing while the last mail is fresh."""
    now = timezone.now()
    last = StaffNotice.objects.aggregate(last=Max("told_at"))["last"]
    if last is not None and last > now - timedelta(seconds=QUIET):
        return []
    waiting = Q(told_at__isnull=True) & (
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    )
    ours = OutboxEvent.ours(prefix="event__")
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


def _case(event: OutboxEvent) -> Case | None:
    """Return the payment or order that an event is about, if it still needs a person."""
    session, order = event.session, event.order
    if session is not None and session.status == SessionStatus.NEEDS_ATTENTION:
        return session
    if order is not None and order.status == OrderStatus.NEEDS_ATTENTION:
        return order
    return None


def _mail(cases: Sequence[Case], recipients: Sequence[str]) -> EmailMessage:
    with translation.override(django_settings.LANGUAGE_CODE):
        return EmailMessage(
            subject=_subject(len(cases)),
            body="\n\n".join(_paragraphs(cases)) + "\n",
            to=list(recipients),
        )


def _subject(count: int) -> str:
    return ngettext(
        "Gift vouchers: %(count)d case needs a person",
        "Gift vouchers: %(count)d cases need a person",
        count,
    ) % {"count": count}


def _paragraphs(cases: Sequence[Case]) -> list[str]:
    parts = [
        _(
            "These cannot be settled without a person. Look them up in the Smart Gift "
            "dashboard."
        ),
        *(_with_address(case) for case in cases[:DESCRIBED]),
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


def _with_address(case: Case) -> str:
    """Describe a case, and say where it is settled."""
    kind = "payment" if isinstance(case, PaymentSession) else "order"
    address = _address(f"smartgift_attention:{kind}", case.pk)
    return "\n".join(filter(None, (_describe(case), address)))


def _describe(case: Case) -> str:
    if isinstance(case, PaymentSession):
        return _describe_payment(case)
    return _describe_order(case)


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

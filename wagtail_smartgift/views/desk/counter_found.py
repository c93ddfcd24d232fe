"""What the voucher desk shows of a number that was looked up."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from wagtail.admin.ui.tables import Column, DateColumn, Table, TitleColumn

from wagtail_smartgift import clock
from wagtail_smartgift.choices import ProductType, RedemptionStatus
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import DeskAction, Redemption, RedemptionEvent
from wagtail_smartgift.services import enquiry, holds, looking_up
from wagtail_smartgift.views.desk import journals
from wagtail_smartgift.views.desk.counter_forms import named
from wagtail_smartgift.views.desk.counter_moving import PAYMENT
from wagtail_smartgift.views.desk.timeline import Timeline
from wagtail_smartgift.views.desk.words import why_not_told


#: Lines of the timeline of one voucher.
MOST_EVENTS = 300


def facts(found: looking_up.Found) -> list[tuple[str, str]]:
    """Say what Smart Gift tells of it now."""
    answer = found.answer
    said = [(_("Voucher"), answer.display_code)]
    state = answer.state
    if state is None:
        said += [
            (_("At Smart Gift"), str(why_not_told(answer.reason))),
            (_("In its words"), answer.words),
        ]
    elif found.is_experience:
        names = ", ".join(named(one) for one in found.experiences)
        said += [
            (_("Type"), str(ProductType.EXPERIENCE.label)),
            (_("Left on it"), names or _("Nothing")),
        ]
    else:
        here = state.available_to_redeem
        said += [
            (_("Type"), str(ProductType.MONETARY.label)),
            (_("Balance"), format_price(state.remaining_value)),
            (_("Can be redeemed here"), "" if here is None else format_price(here)),
        ]
    if state is not None:
        said.append((_("Held"), _held(answer)))
    return [(label, value) for label, value in said if value]


def _held(answer: enquiry.Answer) -> str:
    """Say by whom it is held, and until when, as far as anybody knows.

    Smart Gift has just been asked, so its no counts. A row of ours says who holds it
    while its hold can still stand: one that is over stays as it is until somebody
    meets it.
    """
    held = answer.state.held if answer.state is not None else None
    if held is False:
        return _("No")
    ours = next((row for row in answer.uses if _can_stand(row)), None)
    if ours is not None:
        return _until(
            holds.hold_ends(ours),
            known=_("By payment %(reference)s, until %(until)s"),
            unknown=_("By payment %(reference)s, for at most five more minutes"),
            reference=ours.session.reference,
        )
    if answer.state is None or held is None:
        return _("Not known")
    return _until(
        answer.state.held_until,
        known=_("By a till or another shop, until %(until)s"),
        unknown=_("By a till or another shop, for at most five more minutes"),
    )


def _can_stand(row: Redemption) -> bool:
    ends = holds.hold_ends(row)
    return (
        row.status in {RedemptionStatus.HELD, RedemptionStatus.HOLDING}
        and ends is not None
        and ends > clock.now()
    )


def _until(at: datetime | None, *, known: str, unknown: str, **values: str) -> str:
    if at is None or at.tzinfo is None:
        return unknown % values
    return known % {**values, "until": time_format(timezone.localtime(at), "H:i:s")}


def uses_table(found: looking_up.Found) -> Table | None:
    """List the payments that it was used for; None: there are none."""
    if not found.answer.uses:
        return None
    return Table(
        [
            TitleColumn(
                "reference",
                label=_("Payment"),
                accessor="session.reference",
                get_url=lambda row: reverse(PAYMENT, args=[row.session_id]),
            ),
            Column(
                "payment_status",
                label=_("Payment's status"),
                accessor="session.get_status_display",
            ),
            Column("status", label=_("This voucher"), accessor="get_status_display"),
            Column("amount", label=_("Amount"), accessor=_used_for),
            DateColumn("created_at", label=_("Added")),
        ],
        list(found.answer.uses),
    )


def _used_for(row: Redemption) -> str:
    return format_price(row.amount, row.session.currency)


def sold_table(found: looking_up.Found) -> Table | None:
    """Name the order that it was sold in; None: it was not sold here."""
    if not found.answer.sold_in:
        return None
    return Table(
        [
            Column("reference", label=_("Sold in order"), accessor="order.reference"),
            Column("status", label=_("Status"), accessor="order.get_status_display"),
            Column("price", label=_("Price"), accessor=_sold_for),
            DateColumn("at", label=_("Ordered"), accessor="order.created_at"),
        ],
        list(found.answer.sold_in),
    )


def _sold_for(item: Any) -> str:
    return format_price(item.price, item.order.currency)


def timeline(found: looking_up.Found) -> Timeline:
    """Tell what was done with it, and who looked it up."""
    uses = found.answer.uses
    newest = RedemptionEvent.objects.filter(
        redemption__in=[row.pk for row in uses]
    ).select_related("redemption__session")
    events = sorted(newest.order_by("-id")[:MOST_EVENTS], key=lambda event: event.pk)
    actions = DeskAction.objects.filter(session__in={row.session_id for row in uses})
    return Timeline(
        [
            *journals.of_redemptions(events),
            *journals.of_desk(actions.select_related("session")),
            *journals.of_look_ups(found.look_ups),
        ]
    )

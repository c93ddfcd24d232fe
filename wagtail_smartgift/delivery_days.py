"""The days on which a voucher can be sent, and what is said of any other.

They are the shop's own: its time zone says when a day begins.
"""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


#: Days that a delivery may be put off: a mistyped year would keep it for decades.
MAX_DAYS_AHEAD = 366


def delivery_days() -> tuple[date, date]:
    """Return the first day and the last one."""
    today = timezone.localdate()
    return today, today + timedelta(days=MAX_DAYS_AHEAD)


def validate_delivery_day(day: date) -> None:
    """Refuse a day that Smart Gift would silently take for "at once", or never reach.

    Raises:
        ValidationError: ``past``, or ``far``: more than ``MAX_DAYS_AHEAD`` ahead.
    """
    first, last = delivery_days()
    if day < first:
        raise ValidationError(_("This day has passed."), code="past")
    if day > last:
        raise ValidationError(_("Choose a day within a year from today."), code="far")

"""What is known of the Smart Gift at the other end: reads what probes have stored.

An answer counts only for the key and address that gave it, and for ``FRESH_DAYS``:
Smart Gift may change any of it without a word. Of several runs the newest answer to
each question counts, since no run asks them all. What is not known is assumed to be
as bad as it can be, and everything here is written so that "not known" is the cautious
side: with no record at all the protocol is what it was before there were probes.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone

from django.utils import timezone as django_timezone

from wagtail_smartgift.choices import DuplicateCode, DuplicateReference, OwnCodes
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CapabilityRecord


#: Days for which an answer counts.
FRESH_DAYS = 90
#: Runs that are looked through for the newest answer to each question.
_MOST_RUNS = 50


@dataclass(frozen=True)
class Capabilities:
    """The answers that count now; None and "" are "not known".

    The fields are those of ``CapabilityRecord``, which explains them.
    """

    check_while_held: bool | None = None
    held_until: str = ""
    held_until_offset: int | None = None
    hold_seconds: int | None = None
    second_hold_refused: bool | None = None
    missing_token_refused: bool | None = None
    old_token_refused: bool | None = None
    released_token_refused: bool | None = None
    used_token_refused: bool | None = None
    expired_token_refused: bool | None = None
    redeem_ends_hold: bool | None = None
    second_reversal_refused: bool | None = None
    own_codes: str = ""
    code_checkable_at_once: bool | None = None
    duplicate_reference: str = ""
    duplicate_code: str = ""
    rate_limit: int | None = None
    window_seconds: int | None = None
    refusals_count: bool | None = None
    reset_always: bool | None = None

    @property
    def fence_holds(self) -> bool:
        """Whether a request with the token of a hold that was given back is refused for
        ever: while another hold stands, and while none does. Where any dead token was
        seen to be taken, the refusal of others is not relied on.
        """
        return bool(
            self.old_token_refused and self.released_token_refused
        ) and False not in (self.used_token_refused, self.expired_token_refused)

    @property
    def reversals_may_double(self) -> bool:
        """Whether a second reversal was seen to be taken, and may give back twice."""
        return self.second_reversal_refused is False

    def hold_lasts(self, documented: int) -> int:
        """Return the seconds that a hold can be relied on, when it is not shown."""
        return min(documented, self.hold_seconds or documented)

    def first_limit(self, configured: int) -> int:
        """Return how many calls a window has until an answer says."""
        return min(configured, self.rate_limit or configured)

    def first_window(self, documented: float) -> float:
        """Return the seconds of a window until a refusal teaches otherwise."""
        return float(self.window_seconds or documented)

    @property
    def holds_are_porous(self) -> bool:
        """Whether others were seen to redeem a voucher that is held, or to take its hold."""
        return False in (
            self.second_hold_refused,
            self.missing_token_refused,
            self.old_token_refused,
        )

    @property
    def not_found_is_not_sold(self) -> bool:
        """Whether a sale whose own number is not found was not made, as of then."""
        return (
            self.own_codes == OwnCodes.HONOURED and self.code_checkable_at_once is True
        )

    @property
    def may_sell_again(self) -> bool:
        """Whether a sale that nobody answered may be made again once its number is not
        found: it is known not to be sold then, and a first request that comes later than
        any should cannot make a second sale.
        """
        sold_once = (
            self.duplicate_code == DuplicateCode.REFUSED
            or self.duplicate_reference
            in {DuplicateReference.REFUSED, DuplicateReference.REPEATED}
        )
        return self.not_found_is_not_sold and sold_once

    @property
    def takes_own_codes(self) -> bool:
        """Whether to send numbers of our own; they were not seen to be in vain."""
        return self.own_codes not in {OwnCodes.REFUSED, OwnCodes.IGNORED}

    def with_zone(self, moment: datetime) -> datetime:
        """Give a time that was printed without a zone the one that is known, if any."""
        if moment.tzinfo is not None or self.held_until_offset is None:
            return moment
        zone = timezone(timedelta(minutes=self.held_until_offset))
        return moment.replace(tzinfo=zone)


#: The names of the answers, as in the record.
ANSWERS = tuple(field.name for field in fields(Capabilities))


def of(account: Account) -> Capabilities:
    """Return what is known of an account's Smart Gift now."""
    now = django_timezone.now()
    runs = CapabilityRecord.objects.filter(
        CapabilityRecord.bound_to([account]),
        probed_at__gt=now - timedelta(days=FRESH_DAYS),
        probed_at__lte=now,
    )
    found: dict[str, object] = {}
    for run in runs.order_by("-probed_at", "-pk").values(*ANSWERS)[:_MOST_RUNS]:
        for name, answer in run.items():
            if answer not in (None, ""):
                found.setdefault(name, answer)
    return Capabilities(**found)  # type: ignore[arg-type] # the columns have the fields' types


def last_probed(account: Account) -> datetime | None:
    """Return when a probe last learnt something of this very key and address; None:
    never.
    """
    at: datetime | None = (
        CapabilityRecord.objects.filter(CapabilityRecord.bound_to([account]))
        # A run that was stopped before it had asked anything has told nothing.
        .exclude(
            check_while_held__isnull=True,
            old_token_refused__isnull=True,
            released_token_refused__isnull=True,
        )
        .order_by("-probed_at")
        .values_list("probed_at", flat=True)
        .first()
    )
    return at


def is_fresh(probed_at: datetime | None) -> bool:
    """Tell whether what was found out then still counts."""
    return probed_at is not None and django_timezone.now() - probed_at < timedelta(
        days=FRESH_DAYS
    )

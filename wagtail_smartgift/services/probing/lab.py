"""One voucher on the bench: every call a probe makes, its answer, and what is owed.

Owns the calls and the books: pennies that were redeemed and are to be reversed, holds
that are to be released. Refuses to draw conclusions; the ``of_…`` modules do. An answer
that was lost is neither a yes nor a no, and no redeem is ever sent again.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Generic, TypeVar

from wagtail_smartgift.choices import Lane
from wagtail_smartgift.client import (
    ApiCall,
    HoldReceipt,
    Misrouted,
    OutcomeUnknown,
    RedeemReceipt,
    RefusalReason,
    Refused,
    SmartGiftError,
    Unauthorised,
    VoucherState,
)
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CapabilityRecord
from wagtail_smartgift.services import gateway
from wagtail_smartgift.services.holds import HOLD_SECONDS


PENNY = Decimal("0.01")
#: Customers go first: the questions take what the catalogue would take of the quota.
ASKING = Lane.CATALOGUE
#: What a probe took or holds, it gives back like anybody else's money.
GIVING_BACK = Lane.MONEY
#: Seconds to wait for a place in the quota: more than a window.
PATIENCE = 90.0
#: How often a call is tried that certainly was not applied, or only reads.
TRIES = 4
#: Seconds between two such tries where nothing says how long, and at the most.
PAUSE, LONGEST_PAUSE = 5.0, 120.0
#: Seconds by which a hold is taken to end early: an answer at its very end says nothing.
MARGIN = 20.0
#: Characters of Smart Gift's own words that are kept of a refusal.
_MOST_WORDS = 200

_T = TypeVar("_T")


class Stop(Exception):
    """Going on would answer nothing more; the sentence says why."""


class Skip(Exception):
    """This series of questions cannot be gone on with; the next may be."""


@dataclass(frozen=True)
class Tried(Generic[_T]):
    """What came of one call: done, refused, or (``done`` None) nobody knows."""

    done: bool | None
    value: _T | None = None
    reason: RefusalReason | None = None
    fields: tuple[str, ...] = ()

    @property
    def refused(self) -> bool | None:
        """Whether it was refused; None if nobody knows."""
        return None if self.done is None else not self.done


@dataclass
class Held:
    """A hold of ours. ``sent_at`` is from before it was asked for (monotonic)."""

    token: str = field(repr=False)
    sent_at: float
    #: Smart Gift confirmed that it was given back, and did not say that it was over.
    given_back: bool = False

    @property
    def age(self) -> float:
        return time.monotonic() - self.sent_at


class Lab:
    """The bench: one voucher at one site number of one account."""

    def __init__(
        self,
        *,
        account: Account,
        number: str,
        site_id: str,
        record: CapabilityRecord,
        keep: Callable[[CapabilityRecord], None],
        sleep: Callable[[float], None],
    ) -> None:
        #: Every attempt, and what the server said of our quota.
        self.calls: list[ApiCall] = []
        self.client = gateway.connect(
            account, patience=PATIENCE, observe=self.calls.append
        )
        self.past_the_quota = gateway.connect_past_the_quota(
            account, observe=self.calls.append
        )
        self.account = account
        self.site_id = site_id
        self.record = record
        self.sleep = sleep
        #: Redeems that nobody knows the outcome of.
        self.in_doubt = 0
        #: The hold of a lost answer may stand, and its token is not known.
        self.lost_hold = False
        #: Orders that were placed, by Smart Gift's number.
        self.orders: list[str] = []
        #: What somebody has to look after when it is over, a sentence each.
        self.warnings: list[str] = []
        self._number = number
        self._keep = keep
        self._secrets = {number}
        self._standing: list[Held] = []

    # -- writing down ------------------------------------------------------------------

    def answer(self, **answers: Any) -> None:
        """Write answers down, and store them: a probe may be interrupted."""
        for name, value in answers.items():
            if value is not None:
                setattr(self.record, name, value)
        self._keep(self.record)

    def confide(self, secret: str) -> None:
        """Have a text kept out of what is written down."""
        self._secrets.add(secret)

    def _note(self, step: str, said: str, words: str = "") -> None:
        for secret in sorted(self._secrets, key=len, reverse=True):
            words = words.replace(secret, "[removed]")
        line = {
            "at": datetime.now(tz=timezone.utc).isoformat(timespec="seconds"),
            "step": step,
            "said": said,
        }
        if words:
            line["words"] = words[:_MOST_WORDS]
        self.record.steps.append(line)

    # -- calling -----------------------------------------------------------------------

    def attempt(
        self, step: str, call: Callable[[], _T], *, reads: bool = False
    ) -> Tried[_T]:
        """Make a call, and again where it certainly was not applied, or only reads.

        Raises:
            Stop: Smart Gift does not take our key or address, or cannot be asked.
        """
        for tried in range(1, TRIES + 1):
            try:
                value = call()
            except OutcomeUnknown:
                self._note(step, "no answer")
                if not reads or tried == TRIES:
                    return Tried(None)
            except Refused as error:
                self._note(step, f"refused, {error.reason.value}", error.message)
                return Tried(
                    False, reason=error.reason, fields=tuple(sorted(error.fields))
                )
            except (Unauthorised, Misrouted) as error:
                self._note(step, str(error))
                raise Stop(
                    f"Smart Gift cannot be asked ({error}). Check the account's API_KEY "
                    "and BASE_URL."
                ) from None
            except SmartGiftError as error:
                self._note(step, "not sent" if error.status is None else "no room")
                if tried == TRIES:
                    raise Stop(
                        f"Smart Gift could not be asked ({error}). Try again later."
                    ) from None
                self.sleep(min(error.retry_after or PAUSE, LONGEST_PAUSE))
            else:
                self._note(step, "done")
                return Tried(True, value)
        raise AssertionError("unreachable")

    def check(self, step: str) -> Tried[VoucherState]:
        return self.attempt(
            step,
            lambda: self.client.check(
                voucher_no=self._number, site_id=self.site_id, lane=ASKING
            ),
            reads=True,
        )

    def try_hold(self, step: str) -> tuple[Tried[HoldReceipt], Held | None]:
        """Ask for a hold; its token is one of those that are given back in the end."""
        sent_at = time.monotonic()
        # Lost until it is known: Ctrl-C may come at any moment.
        before, self.lost_hold = self.lost_hold, True
        try:
            tried = self.attempt(
                step, lambda: self.client.hold(voucher_no=self._number, lane=ASKING)
            )
        except Stop:
            self.lost_hold = before
            raise
        held = None
        if tried.value is not None:
            held = Held(tried.value.hold_token, sent_at)
            self.confide(held.token)
            self._standing.append(held)
        if tried.done is not None:
            self.lost_hold = before
        return tried, held

    def hold(self, step: str) -> Held:
        """Hold the voucher, once whatever we hold of it is given back.

        Raises:
            Skip: it cannot be held now.
        """
        self.let_go()
        tried, held = self.try_hold(step)
        if held is None and tried.done is None:
            # If the first one was applied, this one is refused.
            tried, held = self.try_hold(f"{step}, once more")
        if held is None:
            raise Skip(
                "The voucher could not be held: an answer was lost, or somebody else "
                "holds it. Try again in five minutes."
            )
        return held

    def release(
        self, held: Held, step: str, *, lane: Lane = GIVING_BACK
    ) -> Tried[None]:
        tried = self.attempt(
            step,
            lambda: self.client.release(
                voucher_no=self._number, hold_token=held.token, lane=lane
            ),
        )
        held.given_back = tried.done is True
        if tried.done or tried.reason is RefusalReason.NOT_HELD:
            self._standing = [one for one in self._standing if one is not held]
        return tried

    def let_go(self) -> None:
        """Give back every hold of ours that may still stand."""
        for held in list(self._standing):
            for _again in range(2):
                tried = self.release(held, "give a hold back")
                if tried.done is not None:
                    break

    @property
    def holds_something(self) -> bool:
        """Whether a hold of ours may stand that was not given back."""
        return bool(self._standing)

    def redeem(self, token: str | None, step: str) -> Tried[RedeemReceipt]:
        """Redeem a penny, once; its ids are stored before anything else is done."""
        # In doubt until its outcome is written down: Ctrl-C may come at any moment.
        self.in_doubt += 1
        try:
            tried = self.attempt(
                step,
                lambda: self.client.redeem(
                    voucher_no=self._number,
                    site_id=self.site_id,
                    value=PENNY,
                    hold_token=token,
                    lane=ASKING,
                ),
            )
        except Stop:
            self.in_doubt -= 1
            raise
        if tried.value is not None:
            self.owe([*self.record.owed, *tried.value.redemptions])
        if tried.done is not None:
            self.in_doubt -= 1
        return tried

    def is_refused(self, token: str | None, step: str) -> bool | None:
        """Tell whether a redeem with this token, or none, is refused; None: not known.

        Much may rest on a refusal, and any call may be refused for a reason of the
        moment: so a refusal counts when it is repeated.
        """
        for _again in range(2):
            tried = self.redeem(token, step)
            if not tried.refused:
                return tried.refused
        return True

    def owe(self, ids: list[int | str]) -> None:
        """Store what is to be reversed."""
        self.record.owed = ids
        self._keep(self.record)

    def reverse(self, ids: Sequence[int | str], step: str) -> Tried[None]:
        """Give pennies back; what is given back is owed no more."""
        tried = self.attempt(
            step,
            lambda: self.client.reverse(
                voucher_no=self._number,
                site_id=self.site_id,
                redemptions=ids,
                lane=GIVING_BACK,
            ),
        )
        if tried.done:
            self.owe([one for one in self.record.owed if one not in ids])
        return tried

    # -- judging -----------------------------------------------------------------------

    def stands(self, held: Held) -> bool:
        """Tell whether a hold certainly still stands by its age, unless something that
        we did has ended it.
        """
        lasts = min(HOLD_SECONDS, self.record.hold_seconds or HOLD_SECONDS)
        return held.age < lasts - min(MARGIN, lasts / 2)

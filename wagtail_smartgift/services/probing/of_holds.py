"""What a hold is: how long, shown how, and whom it keeps out."""

from datetime import datetime, timedelta, timezone

from wagtail_smartgift.choices import HeldUntil
from wagtail_smartgift.client import VoucherState
from wagtail_smartgift.services.holds import HOLD_SECONDS
from wagtail_smartgift.services.probing.lab import Held, Lab


#: Offsets of time zones are whole quarters of an hour.
_QUARTER = 15
#: Seconds that two clocks with whole seconds may differ by.
_SLACK = 2
#: Seconds that no hold lasts: what says so is a clock gone wrong.
_TOO_LONG = 3600


def ask(lab: Lab) -> dict[str, bool | None]:
    """Look at a hold from all sides.

    Returns what was refused, to be believed once the same redeem was accepted with the
    right token.
    """
    held = lab.hold("hold")
    looked = lab.check("check while held")
    lab.answer(check_while_held=looked.done)
    if looked.value is not None:
        lab.answer(**read_end(held, looked.value))
    second, _other = lab.try_hold("hold again")
    if lab.stands(held):
        lab.answer(second_hold_refused=second.refused)
    if second.done:
        # Which of the two stands is anybody's guess: begin anew.
        held = lab.hold("hold anew")
    refused = lab.is_refused(None, "redeem without a token while held")
    return {"missing_token_refused": refused if lab.stands(held) else None}


def read_end(held: Held, state: VoucherState) -> dict[str, str | int]:
    """Return how the end of a hold is printed, where it lies, and how long a hold is."""
    until, answered_at = state.held_until, state.answered_at
    if state.held is None:
        return {"held_until": HeldUntil.ABSENT}
    if not state.held or until is None:
        return {"held_until": HeldUntil.UNREADABLE}
    found: dict[str, str | int] = {
        "held_until": HeldUntil.NAIVE if until.tzinfo is None else HeldUntil.AWARE
    }
    if answered_at is None:
        return found
    if until.tzinfo is None:
        offset = _offset(until, answered_at, held.age)
        found["held_until_offset"] = offset
        until = until.replace(tzinfo=timezone(timedelta(minutes=offset)))
    lasts = round((until - answered_at).total_seconds() + held.age)
    if abs(lasts - HOLD_SECONDS) <= _SLACK:
        lasts = HOLD_SECONDS
    if 0 < lasts < _TOO_LONG:
        found["hold_seconds"] = lasts
    else:
        found.pop("held_until_offset", None)
    return found


def _offset(until: datetime, answered_at: datetime, age: float) -> int:
    """Return the minutes east of UTC that make this the end of such a hold."""
    seconds = (until.replace(tzinfo=timezone.utc) - answered_at).total_seconds()
    minutes = (seconds - (HOLD_SECONDS - age)) / 60
    return round(minutes / _QUARTER) * _QUARTER

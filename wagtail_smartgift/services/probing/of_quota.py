"""What Smart Gift tells of the quota; mostly read from the answers to other questions."""

import time

from wagtail_smartgift.choices import Lane
from wagtail_smartgift.client import ApiCall, RateLimited, SmartGiftError
from wagtail_smartgift.services.probing.lab import Lab, Skip


#: Calls after which a limit that did not come never will.
_MOST_CALLS = 200
#: The lengths that the documentation names; a refusal tells whole seconds only.
_KNOWN_WINDOWS = (30, 60)
_SLACK = 2


def conclude(lab: Lab) -> None:
    """Read the headers of every answer there was."""
    answered = [call for call in lab.calls if call.status is not None]
    limits = [call.rate_limit for call in answered if call.rate_limit]
    successes = [call for call in answered if call.status and call.status < 300]
    lab.answer(
        rate_limit=limits[-1] if limits else None,
        reset_always=all(call.rate_reset is not None for call in successes)
        if successes
        else None,
        refusals_count=refusals_count(answered),
    )


def refusals_count(answered: list[ApiCall]) -> bool | None:
    """Tell whether a 422 uses up a call, from what remained before and after it.

    Others may use the key at the same moment, which looks as if it did. So one 422
    that was spared shows that they are; until one is seen they are taken to count.
    """
    falls = [
        before.rate_remaining - after.rate_remaining
        for before, after in zip(answered, answered[1:], strict=False)
        if after.status == 422
        and before.rate_remaining is not None
        and after.rate_remaining is not None
        # A new window has begun in between.
        and after.rate_remaining <= before.rate_remaining
    ]
    return min(falls) > 0 if falls else None


def ask_about_window(lab: Lab) -> None:
    """Use the quota up, twice, and learn from the refusals how long a window is.

    The first refusal tells when a window begins, the second when that one ends.

    Raises:
        Skip: nothing was refused.
    """
    lab.sleep(_use_up(lab) + 1)
    began = time.monotonic()
    left = _use_up(lab)
    seconds = round(time.monotonic() - began + left)
    for known in _KNOWN_WINDOWS:
        if abs(known - seconds) <= _SLACK:
            seconds = known
    lab.answer(window_seconds=seconds)


def _use_up(lab: Lab) -> float:
    """Call until one is refused; return the seconds that it says to wait."""
    for _call in range(_MOST_CALLS):
        try:
            lab.past_the_quota.payment_methods(lane=Lane.CATALOGUE)
        except RateLimited as error:
            return error.retry_after or 0.0
        except SmartGiftError as error:
            raise Skip(f"The quota could not be used up ({error}).") from None
    raise Skip(f"{_MOST_CALLS} calls in a row were let through: there is no limit.")

"""What a token is worth once its hold is over, and what ends a hold.

A refusal proves something only if nothing but the token was wrong with the request. So
each is held against a redeem of the same voucher, site and amount with the right token:
where that one is not accepted, the refusals are not believed.
"""

from wagtail_smartgift.client import RefusalReason, VoucherState
from wagtail_smartgift.services.holds import HOLD_SECONDS
from wagtail_smartgift.services.probing.lab import Held, Lab, Tried


def ask(lab: Lab, refused: dict[str, bool | None]) -> None:
    """Ask about the fence: the token of a hold that was given back, without and with
    another hold in its way; then what a redeem does to its hold.
    """
    try:
        refused |= _old_tokens(lab)
    finally:
        # What was accepted is certain without a control.
        lab.answer(**{name: False for name, no in refused.items() if no is False})
    held = lab.hold("hold, for a redeem with its token")
    if not lab.redeem(held.token, "redeem with the token").done:
        return
    lab.answer(**refused)
    _its_hold(lab, held)


def _old_tokens(lab: Lab) -> dict[str, bool | None]:
    old = lab.hold("hold, to give it back")
    lab.release(old, "release")
    if not old.given_back:
        return {}
    free = lab.is_refused(old.token, "redeem with a released token")
    fence = lab.hold("hold, as a fence")
    behind = lab.is_refused(old.token, "redeem with the earlier token while held")
    return {
        "released_token_refused": free,
        "old_token_refused": behind if lab.stands(fence) else None,
    }


def _its_hold(lab: Lab, held: Held) -> None:
    """Ask what became of a hold whose token was used; three witnesses must agree."""
    looked = lab.check("check after the redeem")
    released = lab.release(held, "release after the redeem")
    ended = _ended(looked, released) if lab.stands(held) else None
    lab.answer(redeem_ends_hold=ended)
    if ended:
        again = lab.is_refused(held.token, "redeem with a used token")
        lab.answer(used_token_refused=again)


def _ended(looked: Tried[VoucherState], released: Tried[None]) -> bool | None:
    shown = None if looked.value is None else looked.value.held
    if released.done is None:
        # The first of two may have been applied, so a repetition would say nothing.
        return None if shown is None else not shown
    if released.done:
        return None if shown is False else False
    if released.reason is RefusalReason.NOT_HELD:
        return None if shown else True
    return None


def ask_about_expired(lab: Lab) -> None:
    """Let a hold run out, and redeem with its token."""
    held = lab.hold("hold, to let it run out")
    lasts = lab.record.hold_seconds or HOLD_SECONDS
    lab.sleep(lasts + 1)
    looked = lab.check("check when it is over")
    if looked.value is not None and looked.value.held:
        return  # It is not over, or somebody else has taken the voucher.
    late = lab.is_refused(held.token, "redeem with an expired token")
    if late is False:
        lab.answer(expired_token_refused=False)
        return
    control = lab.hold("hold, for a redeem with its token")
    if lab.redeem(control.token, "redeem with the token").done:
        lab.answer(expired_token_refused=late)


def ask_about_reversals(lab: Lab) -> None:
    """Give a penny back, and once more."""
    lab.let_go()
    if not lab.record.owed:
        return
    one = lab.record.owed[:1]
    if lab.reverse(one, "reverse").done:
        again = lab.reverse(one, "reverse again")
        lab.answer(second_reversal_refused=again.refused)

"""Check, hold, release, redeem, redeem-unified and reverse.

Each operation validates everything before it changes anything, so a refusal never
leaves half a change behind.
"""

from itertools import combinations
from typing import Any

from . import magic, messages
from .answers import Answer, Refusal, refuse
from .call import (
    Call,
    find_site,
    find_voucher,
    print_time,
    require_something_here,
    require_usable,
    usable_here,
)
from .filters import Filters
from .form import Form, sure
from .moves import give_back, place_hold, spend
from .pence import as_number, as_string
from .records import MONETARY, Experience, Redemption, Voucher


def check(call: Call) -> Answer:
    """POST /redeem/check"""
    form = Form(call.body)
    voucher, site_id = find_voucher(call, form), find_site(call, form)
    filters = Filters(form)
    form.raise_if_failed()
    voucher, site_id = sure(voucher), sure(site_id)
    magic.meet(call, voucher)
    require_usable(call, voucher)
    if voucher.hold is not None and not call.behaviour.check_while_held:
        raise refuse("voucher_no", messages.ALREADY_HELD)
    if voucher.spent and call.behaviour.spent_check == "refuse":
        raise refuse("voucher_no", messages.SPENT)
    filters.require_match(voucher)
    require_something_here(voucher, site_id)
    here = filters.choose(usable_here(voucher, site_id))
    if voucher.unused and not here:
        raise refuse("voucher_no", messages.NOT_FOR_THESE_FILTERS)
    return Answer(200, {"data": _state(call, voucher, here)})


def hold(call: Call) -> Answer:
    """POST /redeem/hold"""
    form = Form(call.body)
    voucher = find_voucher(call, form)
    form.raise_if_failed()
    voucher = sure(voucher)
    magic.meet(call, voucher)
    require_usable(call, voucher)
    if voucher.hold is not None and call.behaviour.second_hold == "refuse":
        raise refuse("voucher_no", messages.ALREADY_HELD)
    if voucher.spent and not call.behaviour.hold_spent_vouchers:
        raise refuse("voucher_no", messages.SPENT)
    token = place_hold(call, voucher)
    return Answer(200, {"message": messages.HELD, "hold_token": token})


def release(call: Call) -> Answer:
    """POST /redeem/release"""
    form = Form(call.body)
    voucher, token = find_voucher(call, form), form.text("hold_token")
    form.raise_if_failed()
    voucher = sure(voucher)
    magic.meet(call, voucher)
    if voucher.hold is None:
        raise refuse("hold_token", messages.NOT_HELD)
    if voucher.hold.token != token:
        raise refuse("hold_token", messages.WRONG_TOKEN)
    voucher.hold = None
    call.entry("release", voucher)
    return Answer(200, {"message": messages.RELEASED})


def redeem(call: Call) -> Answer:
    """POST /redeem"""
    form = Form(call.body)
    voucher, site_id = find_voucher(call, form), find_site(call, form)
    value = form.money("value", least="0.01")
    token = form.text("hold_token", required=False)
    form.raise_if_failed()
    voucher, site_id, value = sure(voucher), sure(site_id), sure(value)
    _require_right_to_redeem(call, voucher, token)
    require_something_here(voucher, site_id)
    if voucher.type == MONETARY:
        if value > voucher.pence:
            raise _not_enough()
        ids = spend(call, voucher, site_id, pence=value)
    else:
        ids = spend(
            call, voucher, site_id, experiences=_selected(voucher, site_id, value)
        )
    _use_hold(call, voucher, token)
    return Answer(200, {"data": {"message": messages.REDEEMED, "redemptions": ids}})


def redeem_unified(call: Call) -> Answer:
    """POST /redeem-unified"""
    form = Form(call.body)
    voucher, site_id = find_voucher(call, form), find_site(call, form)
    value = form.money("value", least="0.01")
    token = form.text("hold_token", required=False)
    filters = Filters(form)
    form.raise_if_failed()
    voucher, site_id, value = sure(voucher), sure(site_id), sure(value)
    _require_right_to_redeem(call, voucher, token)
    filters.require_match(voucher)
    require_something_here(voucher, site_id)
    ids: list[int] = []
    taken = 0
    if voucher.type == MONETARY:
        taken = min(value, voucher.pence)
        if taken:
            ids = spend(call, voucher, site_id, pence=taken)
    else:
        here = filters.choose(usable_here(voucher, site_id))
        chosen = _best_fit(here, value, over=call.behaviour.unified_over_value)
        taken = sum(one.worth for one in chosen)
        if chosen:
            ids = spend(call, voucher, site_id, experiences=chosen)
    if ids:
        _use_hold(call, voucher, token)
    elif call.behaviour.unified_no_match == "refuse":
        raise _not_enough()
    body = {
        "message": messages.REDEEMED,
        "redemptions": ids,
        "value": _money(call, voucher, taken),
    }
    return Answer(200, {"data": body})


def reverse(call: Call) -> Answer:
    """POST /redeem/reverse"""
    form = Form(call.body)
    voucher = find_voucher(call, form)
    find_site(call, form)
    wanted = form.array("redemptions")
    form.raise_if_failed()
    voucher = sure(voucher)
    magic.meet(call, voucher)
    if voucher.hold is not None and not call.behaviour.reverse_while_held:
        raise refuse("voucher_no", messages.ALREADY_HELD)
    found = [_redemption(call, voucher, one) for one in wanted]
    if any(one is None for one in found):
        raise refuse("redemptions", messages.INVALID_REDEMPTIONS, generic_in_docs=True)
    # A dict, so that an id that is listed twice is given back once.
    undo = {one.id: one for one in found if one and one.reversed_at is None}
    if undo:
        give_back(call, voucher, list(undo.values()))
    return Answer(200, {"message": messages.REVERSED})


# --- Parts ---------------------------------------------------------------------------


def _state(call: Call, voucher: Voucher, here: list[Experience]) -> dict[str, Any]:
    """Return what check tells about a voucher."""
    monetary = voucher.type == MONETARY
    bits = sum(one.bit_value for one in here)
    available = _money(call, voucher, voucher.pence) if monetary else bits
    state: dict[str, Any] = {
        "id": voucher.id,
        "name": voucher.name,
        "description": voucher.description,
        "voucher_no": voucher.number,
        "remaining_value": available if monetary else voucher.remaining_bits,
        "available_to_redeem": available,
        "type": voucher.type,
        "sold_out": voucher.spent,
        "experiences": [
            {
                "id": voucher.id * 100 + place,
                "name": one.name,
                "description": one.description,
                "bit_value": one.bit_value,
            }
            for place, one in enumerate(voucher.experiences, start=1)
            if one in here
        ],
        "held_until": None,
    }
    behaviour = call.behaviour
    if voucher.hold is not None:
        state["held_until"] = print_time(voucher.hold.until, behaviour.held_until)
    if behaviour.available_to_redeem == "object":
        state["available_to_redeem"] = {
            "value": available,
            "experiences": state["experiences"],
        }
    if behaviour.available_to_redeem == "absent" or behaviour.docs_version == "V1":
        del state["available_to_redeem"]
    if behaviour.held_until == "absent" or behaviour.docs_version == "V1":
        del state["held_until"]
    return state


def _money(call: Call, voucher: Voucher, pence: int) -> int | float | str:
    if call.behaviour.money_as == "string":
        return as_string(pence)
    leak = call.behaviour.leak_floats or voucher.magic == magic.FLOAT_BALANCE
    return as_number(pence, leak=leak)


def _require_right_to_redeem(call: Call, voucher: Voucher, token: str | None) -> None:
    """Refuse a voucher that cannot be used at all, or not with this token."""
    magic.meet(call, voucher)
    magic.before_redeem(call, voucher)
    require_usable(call, voucher)
    behaviour = call.behaviour
    if voucher.hold is None:
        if token is not None and not behaviour.dead_token_accepted:
            raise refuse("hold_token", messages.NOT_HELD)
    elif token is None:
        if behaviour.redeem_needs_token_while_held:
            raise refuse("voucher_no", messages.ALREADY_HELD)
    elif token != voucher.hold.token and behaviour.wrong_token_refused:
        raise refuse("voucher_no", messages.ALREADY_HELD)


def _use_hold(call: Call, voucher: Voucher, token: str | None) -> None:
    """End the hold whose token was just used, where this Smart Gift does so."""
    if (
        voucher.hold is not None
        and voucher.hold.token == token
        and call.behaviour.redeem_ends_hold
    ):
        voucher.hold = None
        call.entry("hold_used", voucher)


def _selected(voucher: Voucher, site_id: str, value: int) -> list[Experience]:
    """Return the experiences whose bit values make up ``value`` (in hundredths)."""
    here = usable_here(voucher, site_id)
    bits = value // 100
    chosen = [one for one in here if one.bit_value & bits]
    if value % 100 or sum(one.bit_value for one in chosen) != bits:
        raise _not_enough()
    return chosen


def _best_fit(here: list[Experience], value: int, *, over: bool) -> list[Experience]:
    """Return the experiences whose worth fits ``value`` best.

    Not over it: the most that fits. Over it allowed: the least that covers it, or all
    of them where nothing does.
    """
    subsets = [
        list(subset)
        for size in range(1, len(here) + 1)
        for subset in combinations(here, size)
    ]

    def worth(subset: list[Experience]) -> int:
        return sum(one.worth for one in subset)

    if over:
        covering = [subset for subset in subsets if worth(subset) >= value]
        return min(covering, key=worth) if covering else list(here)
    return max((s for s in subsets if worth(s) <= value), key=worth, default=[])


def _redemption(call: Call, voucher: Voucher, wanted: Any) -> Redemption | None:
    """Return the redemption of this voucher that may be reversed, or None."""
    if isinstance(wanted, str) and wanted.isascii() and wanted.isdigit():
        wanted = int(wanted[:18])
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        return None
    found = call.store.redemptions.get(wanted)
    if found is None or found.voucher_no != voucher.number:
        return None
    if found.reversed_at is not None and call.behaviour.reverse_twice == "refuse":
        return None
    return found


def _not_enough() -> Refusal:
    return refuse("value", messages.NOT_ENOUGH_BALANCE, generic_in_docs=True)

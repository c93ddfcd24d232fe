"""The changes a voucher can go through, each with its line in the ledger.

They ask no questions: whoever calls them has validated first.
"""

import secrets
import string

from .call import Call
from .records import MONETARY, Experience, Hold, Redemption, Voucher


_TOKEN_ALPHABET = string.ascii_letters + string.digits


def place_hold(call: Call, voucher: Voucher, *, by: str = "api") -> str:
    """Hold a voucher and return the token."""
    token = "hold_token_" + "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(24))
    until = call.now + call.behaviour.hold_seconds
    voucher.hold = Hold(token, call.now, until, by)
    call.entry("hold", voucher, by=by)
    return token


def spend(
    call: Call,
    voucher: Voucher,
    site_id: str,
    *,
    pence: int = 0,
    experiences: list[Experience] | None = None,
    by: str = "api",
) -> list[int]:
    """Take money or experiences off a voucher; return a redemption id for each."""
    chosen = experiences or []
    parts = [(one.worth, one.bit_value) for one in chosen] or [(pence, 0)]
    ids = []
    for worth, bit in parts:
        number = call.store.next_id("redemption", first=1001)
        call.store.put(
            Redemption(number, voucher.number, site_id, worth, bit, call.now, by)
        )
        ids.append(number)
    for one, number in zip(chosen, ids, strict=False):
        one.used_by = number
    voucher.pence -= pence
    call.entry(
        "redeem",
        voucher,
        pence=sum(worth for worth, _ in parts),
        bits=sum(bit for _, bit in parts),
        redemptions=tuple(ids),
        by=by,
        detail={"site_id": site_id},
    )
    return ids


def give_back(
    call: Call, voucher: Voucher, undo: list[Redemption], *, by: str = "api"
) -> None:
    """Reverse redemptions of a voucher, each in full."""
    for redemption in undo:
        redemption.reversed_at = call.now
        call.store.put(redemption)
        if voucher.type == MONETARY:
            voucher.pence += redemption.pence
        for one in voucher.experiences:
            if one.used_by == redemption.id:
                one.used_by = None
    call.entry(
        "reverse",
        voucher,
        pence=sum(one.pence for one in undo),
        bits=sum(one.bit_value for one in undo),
        redemptions=tuple(one.id for one in undo),
        by=by,
    )

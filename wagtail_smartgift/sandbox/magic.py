"""Voucher numbers that play a role, so that every case can be tried by typing it.

The table is the whole definition: seeding makes the vouchers, the docs print it, and
the roles below are looked up where the rules meet them. A ``reset`` renews them all.
"""

from dataclasses import dataclass, field
from typing import Any

from .call import Call
from .faults import Fault
from .moves import place_hold, spend
from .records import Experience, Hold, Voucher


#: Held by a till that never lets go.
ALWAYS_HELD = "always_held"
#: A till takes it the moment it is first asked about, for one hold.
HELD_ON_TOUCH = "held_on_touch"
#: Good when checked and held, expired when redeemed.
EXPIRES_ON_REDEEM = "expires_on_redeem"
#: Good when checked and held, all but a pound spent by a till just before the redeem.
SPENT_ON_REDEEM = "spent_on_redeem"
#: Pence that it leaves.
_LEFT = 100
#: Prints its balance with the rounding error of a float.
FLOAT_BALANCE = "float_balance"

#: Roles that are played on the wire: operation, its fault, and the turns in which it
#: strikes (every call, or only the first of every two, so that a repeat gets through).
_WIRE: dict[str, tuple[str, Fault, int]] = {
    "redeem_lost_after": ("redeem", Fault(mode="lost_after"), 1),
    "redeem_lost_before": ("redeem", Fault(mode="lost_before"), 2),
    "hold_lost_after": ("hold", Fault(mode="lost_after"), 1),
    "reverse_lost_after": ("reverse", Fault(mode="lost_after"), 2),
    "slow": ("*", Fault(mode="slow_after", seconds=5.0), 1),
    "slow_redeem": ("redeem", Fault(mode="slow_after", seconds=5.0), 1),
    "broken": ("*", Fault(mode="status", status=500), 1),
    "redeem_garbage": ("redeem", Fault(mode="garbage"), 1),
}


@dataclass(frozen=True)
class MagicVoucher:
    number: str
    #: Pounds, for a monetary one.
    balance: str | None
    shows: str
    role: str | None = None
    experiences: tuple[Experience, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)


def _tea(*, used: bool = False) -> tuple[Experience, ...]:
    return (
        Experience(
            2,
            "Afternoon tea for two",
            "Sandwiches, scones and a pot of tea each, in the Mill Room.",
            "food_and_beverage",
            5900,
            used_by=0 if used else None,
        ),
        Experience(
            8,
            "A walk to the weir with our gardener",
            "One hour, on Saturdays at eleven.",
            "events",
            2500,
        ),
    )


def _spa(sites: list[str] | None) -> tuple[Experience, ...]:
    return (
        Experience(1, "Use of the pool and sauna", "Until six.", "spa", 4000, sites),
        Experience(4, "Fifty minutes of massage", "", "spa", 6500, sites),
    )


VOUCHERS: tuple[MagicVoucher, ...] = (
    MagicVoucher("GOOD-0010-0001", "10.00", "£10, nothing special"),
    MagicVoucher("GOOD-0025-0001", "25.00", "£25, nothing special"),
    MagicVoucher("GOOD-0025-0002", "25.00", "another £25"),
    MagicVoucher("GOOD-0050-0001", "50.00", "£50, nothing special"),
    MagicVoucher("GOOD-0050-0002", "50.00", "another £50"),
    MagicVoucher("GOOD-0100-0001", "100.00", "£100, nothing special"),
    MagicVoucher("GOOD-1000-0001", "1000.00", "£1,000, for large baskets"),
    MagicVoucher("PENNY-0001", "0.01", "one penny"),
    MagicVoucher("millpond-rose-25", "25.00", "£25, a number in lower case"),
    MagicVoucher("MillWheel40", "40.00", "£40, a number in mixed case"),
    MagicVoucher("73001948", "30.00", "£30, a number of digits only"),
    MagicVoucher("OLDMILL-2026-0000-7741-ABCD", "75.00", "£75, 27 characters"),
    MagicVoucher("EMPTY-0000-0001", "0.00", "nothing left (sold_out)"),
    MagicVoucher("EXPIRED-0025-0001", "25.00", "expired", more={"expired": True}),
    MagicVoucher("CANCELLED-0025-0001", "25.00", "cancelled", more={"cancelled": True}),
    MagicVoucher(
        "QUAY-0050-0001", "50.00", "another company's voucher", more={"company": 2}
    ),
    MagicVoucher(
        "HELD-0050-0001", "50.00", "held by another till, always", ALWAYS_HELD
    ),
    MagicVoucher(
        "TILL-0050-0001",
        "50.00",
        "taken by another till when first asked about, free when that hold lapses",
        HELD_ON_TOUCH,
    ),
    MagicVoucher(
        "EXPIRES-0050-0001",
        "50.00",
        "fine to check and hold, expired when redeemed",
        EXPIRES_ON_REDEEM,
    ),
    MagicVoucher(
        "GONE-0050-0001",
        "50.00",
        "fine to check and hold, all but a pound gone when redeemed",
        SPENT_ON_REDEEM,
    ),
    MagicVoucher(
        "LOST-0050-0001",
        "50.00",
        "redeem is applied and its answer lost",
        "redeem_lost_after",
    ),
    MagicVoucher(
        "DROP-0050-0001",
        "50.00",
        "redeem never arrives; every second one does",
        "redeem_lost_before",
    ),
    MagicVoucher(
        "HOLDLOST-0050-0001",
        "50.00",
        "hold is applied and its answer, with the token, lost",
        "hold_lost_after",
    ),
    MagicVoucher(
        "UNDOLOST-0050-0001",
        "50.00",
        "reverse is applied and its answer lost; every second one is answered",
        "reverse_lost_after",
    ),
    MagicVoucher("SLOW-0050-0001", "50.00", "every answer takes five seconds", "slow"),
    MagicVoucher(
        "WAIT-0050-0001",
        "50.00",
        "redeem's answer takes five seconds, the others none",
        "slow_redeem",
    ),
    MagicVoucher("ERROR-0050-0001", "50.00", "always a 500, nothing done", "broken"),
    MagicVoucher(
        "GARBAGE-0050-0001",
        "50.00",
        "redeem is applied and answers broken JSON",
        "redeem_garbage",
    ),
    MagicVoucher(
        "FLOAT-0096-0001",
        "96.20",
        "£96.20, printed as 96.19999999999999",
        FLOAT_BALANCE,
    ),
    MagicVoucher(
        "TEA-0002-0001", None, "experiences 2 (tea) and 8 (walk)", experiences=_tea()
    ),
    MagicVoucher("TEA-0002-0002", None, "another of these", experiences=_tea()),
    MagicVoucher(
        "TEA-0002-0003",
        None,
        "the same, the tea (2) already used",
        experiences=_tea(used=True),
    ),
    MagicVoucher(
        "SPA-0002-0001",
        None,
        "experiences 1 (pool) and 4 (massage), at site 2 only",
        experiences=_spa(["2"]),
    ),
    MagicVoucher(
        "MIXED-0003-0001",
        None,
        "experience 2 (dinner) at every site, 1 and 4 (spa) at site 2 only",
        experiences=(
            Experience(2, "Dinner for two", "", "food_and_beverage", 7000),
            *_spa(["2"]),
        ),
    ),
    MagicVoucher(
        "META-0050-0001",
        "50.00",
        "meta used_in = hotel, areas = [restaurant, bar], for filters",
        more={"meta": {"used_in": "hotel", "areas": ["restaurant", "bar"]}},
    ),
)


def plays_on_the_wire(voucher: Voucher) -> bool:
    return voucher.magic in _WIRE


def wire_fault(called: str, voucher: Voucher) -> Fault | None:
    """Return the fault that the voucher's role puts on this call, and count the turn."""
    operation, fault, every = _WIRE[voucher.magic or ""]
    if operation not in ("*", called):
        return None
    turn = voucher.touches.get(called, 0)
    voucher.touches[called] = turn + 1
    return fault if turn % every == 0 else None


def meet(call: Call, voucher: Voucher) -> None:
    """Play the roles that start when a voucher is asked about."""
    if voucher.magic == ALWAYS_HELD:
        # Not through the store: this hold never lapses and fills no ledger.
        until = call.now + call.behaviour.hold_seconds
        voucher.hold = Hold("hold_token_of_another_till_0000", call.now, until, "till")
    elif voucher.magic == HELD_ON_TOUCH and not voucher.touches:
        voucher.touches["met"] = 1
        place_hold(call, voucher, by="till")


def before_redeem(call: Call, voucher: Voucher) -> None:
    """Play the roles that start when a voucher is about to be redeemed."""
    if voucher.magic == EXPIRES_ON_REDEEM and voucher.expires_at is None:
        voucher.expires_at = call.now
        call.entry("expire", voucher, by="sandbox")
    elif voucher.magic == SPENT_ON_REDEEM and voucher.pence > _LEFT:
        site_id = next(iter(call.company.sites))
        spend(call, voucher, site_id, pence=voucher.pence - _LEFT, by="till")

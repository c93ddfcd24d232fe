"""What the sandbox remembers: plain records, money in pence, times in epoch seconds.

The records hold no rules. ``Voucher`` objects in the store are changed in place
under the sandbox's lock; whatever leaves the sandbox is a copy.
"""

from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from .pence import as_decimal, as_string


MONETARY = "monetary"
EXPERIENCE = "experience"


@dataclass(frozen=True)
class Company:
    """A Smart Gift company: a key opens exactly one."""

    id: int
    name: str
    keys: tuple[str, ...]
    #: Site number to name.
    sites: dict[str, str]


@dataclass
class Experience:
    """One thing an experience voucher can be used for, once."""

    bit_value: int
    name: str
    description: str = ""
    #: The revenue centre's classification, for filters.
    classification: str = "sundry"
    worth: int = 0
    #: Site numbers where it can be used; None: at every site of the company.
    sites: list[str] | None = None
    #: The redemption that used it, or None.
    used_by: int | None = None


@dataclass
class Hold:
    token: str
    since: float
    until: float
    by: str = "api"


@dataclass
class Voucher:
    """An issued voucher."""

    id: int
    number: str
    company_id: int
    name: str
    description: str
    type: str
    pence: int = 0
    experiences: list[Experience] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    persons: int = 1
    cancelled: bool = False
    expires_at: float | None = None
    #: Unknown to every call before this time.
    visible_from: float = 0.0
    hold: Hold | None = None
    #: The role it plays (see ``magic``), and how often it has been called in it.
    magic: str | None = None
    touches: dict[str, int] = field(default_factory=dict)

    @property
    def balance(self) -> Decimal:
        """What is left on a monetary voucher, in pounds."""
        return as_decimal(self.pence)

    @property
    def unused(self) -> list[Experience]:
        return [one for one in self.experiences if one.used_by is None]

    @property
    def remaining_bits(self) -> int:
        """The sum of the bit values that are left on an experience voucher."""
        return sum(one.bit_value for one in self.unused)

    @property
    def spent(self) -> bool:
        return not (self.pence if self.type == MONETARY else self.unused)


@dataclass
class Product:
    """A row of the catalogue."""

    id: int
    company_id: int
    title: str
    description: str
    type: str
    status: str = "active"
    #: Price of an experience for one person.
    value: int | None = None
    min: int | None = None
    max: int | None = None
    increments: int | None = None
    persons_min: int = 1
    persons_max: int = 1
    available_count: int | None = None
    experiences: list[Experience] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    expiry_years: int = 2
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass
class Redemption:
    """One transaction on a voucher: the unit of reversal."""

    id: int
    voucher_no: str
    site_id: str
    pence: int
    bit_value: int
    at: float
    by: str
    reversed_at: float | None = None


@dataclass
class Sale:
    """An order, as ``/pos-sale`` or ``/sale`` made it."""

    order_id: str
    company_id: int
    reference: str
    operation: str
    at: float
    items: list[dict[str, Any]]
    vouchers: list[str]
    customer: dict[str, Any]
    delivery: dict[str, Any]
    payment_method_id: int
    #: Goods and delivery together.
    total: int
    #: Whether Smart Gift would have mailed the customer.
    email_sent: bool
    #: When the vouchers go out: a date, or None for at once.
    send_on: str | None


@dataclass(frozen=True)
class Entry:
    """A line of the ledger; lines are only ever added.

    ``event`` is one of issue, sale, hold, hold_used, lapse, release, redeem,
    reverse, top_up, cancel, expire. The amount has no sign: the event says which way.
    """

    id: int
    time: float
    event: str
    voucher_no: str
    pence: int = 0
    bits: int = 0
    redemptions: tuple[int, ...] = ()
    by: str = "api"
    request_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.time, tz=timezone.utc)

    @property
    def amount(self) -> Decimal:
        """The money that moved, in pounds; for an experience its worth."""
        return as_decimal(self.pence)

    def as_dict(self) -> dict[str, Any]:
        """Return the line as the control API prints it."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "event": self.event,
            "voucher_no": self.voucher_no,
            "amount": as_string(self.pence),
            "bits": self.bits,
            "redemptions": list(self.redemptions),
            "by": self.by,
            "request_id": self.request_id,
            "detail": self.detail,
        }

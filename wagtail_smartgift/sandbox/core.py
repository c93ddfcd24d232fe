"""The sandbox with its doors for tests: looking, being somebody else, setting the scene.

What a request goes through before it gets here (key, limit, faults) is in ``api``.
"""

from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from typing import Any

from . import selling
from .answers import refuse
from .engine import Engine, LogLine
from .messages import ALREADY_HELD, NOT_ENOUGH_BALANCE, NOT_HELD
from .moves import give_back, place_hold, spend
from .pence import to_pence
from .records import (
    EXPERIENCE,
    MONETARY,
    Entry,
    Experience,
    Product,
    Redemption,
    Sale,
    Voucher,
)


#: More would make the best fit of redeem-unified slow.
MOST_EXPERIENCES = 12


class Sandbox(Engine):
    """A local Smart Gift: vouchers, holds, redemptions, sales, ledger and clock.

    Any thread may use it. What its methods return are copies. ``behaviour``, ``clock``
    and ``faults`` are live: change them at any time.
    """

    # Looking ------------------------------------------------------------------------------

    def voucher(self, number: str) -> Voucher:
        """Return a voucher as it is now.

        Raises:
            LookupError: there is none with that number.
        """
        with self.at_work():
            return deepcopy(self._voucher(number))

    def vouchers(self) -> list[Voucher]:
        with self.at_work():
            return deepcopy(list(self._store.vouchers.values()))

    def product(self, product_id: int) -> Product:
        """Raises: LookupError: there is none with that id."""
        with self.at_work():
            return deepcopy(self._product(product_id))

    def products(self) -> list[Product]:
        with self.at_work():
            return deepcopy(list(self._store.products.values()))

    def redemptions(self, voucher_no: str | None = None) -> list[Redemption]:
        """Return the transactions, oldest first, reversed ones too."""
        with self.at_work():
            every = self._store.redemptions.values()
            return deepcopy([r for r in every if voucher_no in (None, r.voucher_no)])

    def sales(self) -> list[Sale]:
        """Return the orders, oldest first."""
        with self.at_work():
            return deepcopy(list(self._store.sales.values()))

    def ledger(
        self, *, voucher_no: str | None = None, event: str | None = None, after: int = 0
    ) -> list[Entry]:
        """Return the lines of the ledger with an id above ``after``, oldest first."""
        with self.at_work():
            return [
                entry
                for entry in self._store.ledger[max(0, after) :]
                if voucher_no in (None, entry.voucher_no)
                and event in (None, entry.event)
            ]

    def log(self) -> list[LogLine]:
        """Return the last thousand requests, oldest first."""
        with self.lock:
            return list(self._log)

    def add_log_line(self, line: LogLine) -> None:
        with self.lock:
            self._log.append(line)

    # What other people do -------------------------------------------------------------------

    def hold_by_till(self, number: str) -> str:
        """Let another till hold a voucher, and return its token.

        Raises:
            Refusal: it is held already.
        """
        with self.at_work() as now:
            voucher = self._voucher(number)
            if voucher.hold is not None:
                raise refuse("voucher_no", ALREADY_HELD)
            return place_hold(self.by_hand(voucher.company_id, now), voucher, by="till")

    def release_by_till(self, number: str) -> None:
        """Let whoever holds a voucher give it back, without the token.

        Raises:
            Refusal: nobody holds it.
        """
        with self.at_work() as now:
            voucher = self._voucher(number)
            if voucher.hold is None:
                raise refuse("hold_token", NOT_HELD)
            by, voucher.hold = voucher.hold.by, None
            self.by_hand(voucher.company_id, now).entry("release", voucher, by=by)

    def spend_by_till(
        self,
        number: str,
        amount: Decimal | int | str = 0,
        *,
        bits: int = 0,
        despite_hold: bool = False,
    ) -> list[int]:
        """Let another till redeem money or experiences, and return the redemption ids.

        ``despite_hold`` is a till that Smart Gift's own rules would have stopped.

        Raises:
            Refusal: the voucher is held, or has not got that much.
        """
        with self.at_work() as now:
            voucher = self._voucher(number)
            call = self.by_hand(voucher.company_id, now)
            if voucher.hold is not None and not despite_hold:
                raise refuse("voucher_no", ALREADY_HELD)
            pence = to_pence(amount)
            chosen = [one for one in voucher.unused if one.bit_value & bits]
            if pence > voucher.pence or sum(one.bit_value for one in chosen) != bits:
                raise refuse("value", NOT_ENOUGH_BALANCE)
            site_id = next(iter(call.company.sites))
            return spend(
                call, voucher, site_id, pence=pence, experiences=chosen, by="till"
            )

    def reverse_by_staff(self, number: str, *ids: int) -> list[int]:
        """Let the venue's staff reverse redemptions of a shop's in their dashboard.

        Without ``ids`` all that the API has made and nobody has reversed; returns which.
        """
        with self.at_work() as now:
            voucher = self._voucher(number)
            undo = [
                one
                for one in self._store.redemptions.values()
                if one.voucher_no == number
                and one.reversed_at is None
                and (one.id in ids if ids else one.by == "api")
            ]
            call = self.by_hand(voucher.company_id, now)
            give_back(call, voucher, undo, by="staff")
            return [one.id for one in undo]

    def top_up(self, number: str, amount: Decimal | int | str) -> None:
        """Let the venue's staff add money to a monetary voucher."""
        with self.at_work() as now:
            voucher, pence = self._voucher(number), to_pence(amount)
            voucher.pence += pence
            self.by_hand(voucher.company_id, now).entry(
                "top_up", voucher, pence=pence, by="staff"
            )

    def cancel_voucher(self, number: str) -> None:
        with self.at_work() as now:
            voucher = self._voucher(number)
            voucher.cancelled = True
            self.by_hand(voucher.company_id, now).entry("cancel", voucher, by="staff")

    def expire_voucher(self, number: str) -> None:
        with self.at_work() as now:
            voucher = self._voucher(number)
            voucher.expires_at = now
            self.by_hand(voucher.company_id, now).entry("expire", voucher, by="staff")

    # Setting the scene ------------------------------------------------------------------------

    def add_voucher(
        self,
        number: str | None = None,
        *,
        balance: Decimal | int | str | None = None,
        experiences: Iterable[Experience] | None = None,
        company_id: int = 1,
        name: str | None = None,
        description: str = "",
        meta: dict[str, Any] | None = None,
        expires_at: datetime | None = None,
        role: str | None = None,
    ) -> Voucher:
        """Issue a voucher: a ``balance`` in pounds, or ``experiences``.

        Raises:
            ValueError: both or neither, a number that is taken, bit values that are
                not distinct powers of two, or an ``expires_at`` without a zone.
        """
        parts = deepcopy(list(experiences or []))
        bits = [one.bit_value for one in parts]
        if (balance is None) == (not parts):
            msg = "a voucher has either a balance or experiences"
            raise ValueError(msg)
        if len(bits) > MOST_EXPERIENCES or len(set(bits)) != len(bits):
            msg = f"at most {MOST_EXPERIENCES} experiences, each with its own bit value"
            raise ValueError(msg)
        if any(bit < 1 or bit & (bit - 1) for bit in bits):
            msg = "bit values must be powers of two"
            raise ValueError(msg)
        if expires_at is not None and expires_at.tzinfo is None:
            msg = "expires_at must be an aware datetime"
            raise ValueError(msg)
        if company_id not in {company.id for company in self.companies}:
            msg = f"no company {company_id}"
            raise ValueError(msg)
        with self.at_work() as now:
            if number in self._store.vouchers:
                msg = "this voucher number is taken"
                raise ValueError(msg)
            voucher = Voucher(
                id=self._store.next_id("voucher", first=11_400),
                number=number or selling.new_code(self.by_hand(company_id, now)),
                company_id=company_id,
                name=name or ("Gift experience" if parts else "Gift voucher"),
                description=description,
                type=EXPERIENCE if parts else MONETARY,
                pence=0 if balance is None else to_pence(balance),
                experiences=parts,
                meta=dict(meta or {}),
                expires_at=None if expires_at is None else expires_at.timestamp(),
                magic=role,
            )
            self.by_hand(voucher.company_id, now).entry(
                "issue",
                voucher,
                pence=voucher.pence or sum(one.worth for one in parts),
                bits=sum(bits),
                by="sandbox",
            )
            return deepcopy(voucher)

    def put_product(self, product: Product) -> None:
        """Add a product to the catalogue, or replace the one with its id."""
        with self.at_work():
            self._store.put(deepcopy(product))

    def change_product(self, product_id: int, **values: Any) -> Product:
        """Change fields of a product (money in pence) and stamp the time.

        Raises:
            LookupError: there is no such product.
            AttributeError: there is no such field.
        """
        with self.at_work() as now:
            product = self._product(product_id)
            for name in values:
                getattr(product, name)
            for name, value in values.items():
                setattr(product, name, value)
            product.updated_at = now
            self._store.put(product)
            return deepcopy(product)

    def remove_product(self, product_id: int) -> None:
        """Raises: LookupError: there is no such product."""
        with self.at_work():
            self._product(product_id)
            self._store.remove_product(product_id)

    def _voucher(self, number: str) -> Voucher:
        try:
            return self._store.vouchers[number]
        except KeyError:
            msg = "the sandbox has no voucher with this number"
            raise LookupError(msg) from None

    def _product(self, product_id: int) -> Product:
        try:
            return self._store.products[product_id]
        except KeyError:
            msg = f"the sandbox has no product {product_id}"
            raise LookupError(msg) from None

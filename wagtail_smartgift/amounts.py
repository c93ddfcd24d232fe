"""The amounts that a monetary voucher is sold for, and how people write them.

Smart Gift says a smallest amount, a largest one and a step. Which of the many that
makes are shown first is decided here: round ones, as people give them.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import VoucherProduct
from wagtail_smartgift.money import PENNY, parse_amount
from wagtail_smartgift.redaction import Secret, hidden


#: So few amounts are all shown, and none is typed.
MAX_SHOWN = 8
#: So many of them are shown where there are more; the others are typed.
MAX_COMMON = 6
#: Fewer round ones than this, and rounder ones in between are looked for as well.
MIN_COMMON = 4
#: Leading digits of round amounts, from the roundest to the less round.
_ROUND = (
    ("1", "2.5", "5"),
    ("1", "2", "2.5", "3", "5"),
    ("1", "1.5", "2", "2.5", "3", "4", "5", "7.5"),
)

#: Digits, in groups of three if the writer likes that, and pennies. What parts the groups
#: is a point, a comma, a space or an apostrophe; no group of them begins with a nought.
_WRITTEN = re.compile(
    r"(?P<whole>[1-9][0-9]{0,2}(?:[.,\s'’][0-9]{3})+|[0-9]+)"
    r"(?:[.,](?P<pennies>[0-9]{1,2}))?"
)
#: What may stand before and behind them. Not between: 12€50 is twelve and a half.
_AROUND = re.compile(r"^[\s£€$]+|[\s£€$]+$")
#: Letters before or after them, besides those of the currency (``GBP``).
_LETTERS = ("zł",)


@dataclass(frozen=True)
class AmountTerms:
    """From the smallest amount to the largest in whole steps."""

    lowest: Decimal
    highest: Decimal
    step: Decimal

    @classmethod
    def of(cls, product: VoucherProduct) -> "AmountTerms":
        """Return what a product is sold for; a voucher for nothing is none.

        For products on sale, which have both ends. Without a step every penny is one.
        """
        step = product.increment
        if not step or step <= 0:
            step = PENNY
        lowest = product.min_amount or Decimal(0)
        highest = product.max_amount or Decimal(0)
        if lowest <= 0:
            lowest = step
        return cls(lowest, lowest + (highest - lowest) // step * step, step)

    @property
    def count(self) -> int:
        return int((self.highest - self.lowest) // self.step) + 1

    @property
    def first(self) -> list[Decimal]:
        """The amounts to show: all of them if they are few, else round ones."""
        if self.count <= MAX_SHOWN:
            return [self.lowest + self.step * number for number in range(self.count)]
        found: list[Decimal] = []
        for digits in _ROUND:
            found = self._round(digits)
            if len(found) >= MIN_COMMON:
                break
        return (found or [self.lowest])[:MAX_COMMON]

    def allow(self, amount: Decimal) -> bool:
        """Tell whether the product is sold for an amount."""
        inside = self.lowest <= amount <= self.highest
        return inside and not (amount - self.lowest) % self.step

    def _round(self, digits: tuple[str, ...]) -> list[Decimal]:
        """Return the allowed amounts that begin with these digits, zeros behind them."""
        found: list[Decimal] = []
        power = self.lowest.adjusted()
        while len(found) < MAX_COMMON and power <= self.highest.adjusted():
            for lead in digits:
                exact = Decimal(lead).scaleb(power)
                amount = exact.quantize(PENNY)
                if amount == exact and self.allow(amount):
                    found.append(amount)
            power += 1
        return found


def read_amount(text: str) -> Decimal:
    """Read an amount as somebody types it: ``50``, ``£50.00``, ``1 000,00 GBP``.

    Three digits after a point or a comma are thousands, since no amount has three
    places; so the writer's language need not be known. Of letters, those of the shop's
    currency may stand before or after it.

    Raises:
        ValueError: it is none.
    """
    # Somebody may have typed a voucher's number here.
    text = Secret(text)
    bare = Secret(_AROUND.sub("", text).casefold())
    for letters in (*_LETTERS, get_conf().currency.casefold()):
        if bare.startswith(letters) or bare.endswith(letters):
            bare = Secret(bare.removeprefix(letters).removesuffix(letters))
            bare = Secret(_AROUND.sub("", bare))
            break
    whole, pennies = _parts(bare)
    if not whole:
        raise ValueError("This is no amount of money.")
    return parse_amount(Secret(f"{re.sub('[^0-9]', '', whole)}.{pennies or '0'}"))


def _parts(bare: str) -> list[str]:
    """Return the digits before the pennies and the pennies; empty where it is none."""
    written = _WRITTEN.fullmatch(bare)
    return ["", ""] if written is None else hidden(written.groups(""))

"""Bar charts as SVG, drawn on the server: no script, no library, no inline style.

Owns where each bar and each word stands; how it looks is in ``desk/reports.css``. A
chart shows one figure, so no colour has to be told from another. Its numbers are
rounded to be read: the table beside it has them all, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.text import Truncator
from wagtail.admin.ui.components import Component

from wagtail_smartgift.formats import format_rounded


#: How big a drawing is, in its own units: the page shrinks it, but not below this.
WIDTH = 520
#: Of upright bars: where they begin on the left, and their rows from top to bottom.
_LEFT, _RIGHT, _TOP, _FLOOR, _HEIGHT = 64, 32, 26, 196, 222
#: More bars than these have their values written upwards.
_FEW = 10
#: Words under the bars that do not run into one another.
_MOST_WORDS = 8
#: Of lying bars: where they begin, how much room their values have, and a row's height.
_NAMES, _VALUES, _ROW = 168, 84, 26
#: Lines across, besides the floor.
_STEPS = 4
_NICE = (1, 2, 5, 10)


@dataclass(frozen=True)
class Bar:
    """A bar to be drawn: what it stands for, and how much that is."""

    label: str
    value: Decimal
    #: More about it than fits beneath it.
    name: str = ""


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    #: What it is and how much, for whoever points at it.
    title: str


@dataclass(frozen=True)
class Word:
    x: float
    y: float
    text: str
    #: What part of the chart it is, as a class.
    role: str
    #: Written upwards, from where it stands.
    is_upright: bool = False


@dataclass(frozen=True)
class Rule:
    x1: float
    y1: float
    x2: float
    y2: float


def scale(highest: Decimal) -> list[Decimal]:
    """Return round numbers from nothing to at least ``highest``, evenly apart."""
    if highest <= 0:
        return [Decimal(0), Decimal(1)]
    rough = highest / _STEPS
    power = Decimal(10) ** rough.adjusted()
    step = next(nice * power for nice in _NICE if nice * power >= rough)
    # A step of a fraction of a penny says nothing.
    step = max(step, Decimal("0.01"))
    ticks = [Decimal(0)]
    while ticks[-1] < highest:
        ticks.append(ticks[-1] + step)
    return ticks


class Chart(Component):
    """What both kinds of chart have: a heading, a description, and things to draw."""

    template_name = "wagtail_smartgift/desk/chart.html"
    kind: ClassVar[str]

    def __init__(
        self,
        bars: Sequence[Bar],
        *,
        name: str,
        heading: str | Promise,
        description: str | Promise,
        currency: str,
    ) -> None:
        #: Unique on the page.
        self.name = name
        self.heading = heading
        self.description = description
        self.currency = currency
        self.bars = bars
        self.ticks = scale(max((bar.value for bar in bars), default=Decimal(0)))

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {
            "chart": self,
            "width": WIDTH,
            "height": self.height,
            "rectangles": self.rectangles(),
            "rules": self.rules(),
            "words": self.words(),
        }

    @property
    def height(self) -> int:
        raise NotImplementedError

    def rectangles(self) -> list[Rectangle]:
        raise NotImplementedError

    def rules(self) -> list[Rule]:
        raise NotImplementedError

    def words(self) -> list[Word]:
        raise NotImplementedError

    def share(self, value: Decimal) -> float:
        """Return what part of the scale a value fills; nothing below the floor."""
        return max(0.0, float(value / self.ticks[-1]))

    def money(self, value: Decimal) -> str:
        return format_rounded(value, self.currency)

    def _title(self, bar: Bar) -> str:
        return f"{bar.name or bar.label}: {self.money(bar.value)}"


class UprightChart(Chart):
    """Bars side by side, for days and months."""

    kind = "upright"

    @property
    def height(self) -> int:
        return _HEIGHT

    @property
    def _step(self) -> float:
        return (WIDTH - _LEFT - _RIGHT) / max(1, len(self.bars))

    def _middle(self, number: int) -> float:
        return round(_LEFT + (number + 0.5) * self._step, 1)

    def _top(self, value: Decimal) -> float:
        return round(_FLOOR - (_FLOOR - self._ceiling) * self.share(value), 1)

    @property
    def _ceiling(self) -> int:
        # What is written upwards needs room above the highest bar.
        return _TOP if len(self.bars) <= _FEW else _TOP + 32

    def rectangles(self) -> list[Rectangle]:
        width = round(max(1.0, min(48.0, self._step * 0.7)), 1)
        return [
            Rectangle(
                x=round(self._middle(number) - width / 2, 1),
                y=self._top(bar.value),
                width=width,
                height=round(_FLOOR - self._top(bar.value), 1),
                title=self._title(bar),
            )
            for number, bar in enumerate(self.bars)
            if bar.value > 0
        ]

    def rules(self) -> list[Rule]:
        heights = [self._top(tick) for tick in self.ticks]
        return [Rule(_LEFT, y, WIDTH - _RIGHT, y) for y in heights]

    def words(self) -> list[Word]:
        every = -(-len(self.bars) // _MOST_WORDS)
        beneath = [
            Word(self._middle(number), _FLOOR + 18, bar.label, "label")
            for number, bar in enumerate(self.bars)
            if number % every == 0
        ]
        beside = [
            Word(_LEFT - 8, self._top(tick) + 4, self.money(tick), "tick")
            for tick in self.ticks
        ]
        upright = len(self.bars) > _FEW
        above = [
            Word(
                self._middle(number) + (4 if upright else 0),
                self._top(bar.value) - 5,
                self.money(bar.value),
                "value",
                is_upright=upright,
            )
            for number, bar in enumerate(self.bars)
            if bar.value > 0 and self._step >= 12
        ]
        return [*beneath, *beside, *above]


class LyingChart(Chart):
    """Bars one below the other, for what has a name."""

    kind = "lying"

    @property
    def height(self) -> int:
        return len(self.bars) * _ROW + 34

    def _right(self, value: Decimal) -> float:
        return round(_NAMES + (WIDTH - _NAMES - _VALUES) * self.share(value), 1)

    @property
    def _bottom(self) -> int:
        return len(self.bars) * _ROW + 6

    def rectangles(self) -> list[Rectangle]:
        return [
            Rectangle(
                x=_NAMES,
                y=number * _ROW + 8,
                width=round(self._right(bar.value) - _NAMES, 1),
                height=_ROW - 10,
                title=self._title(bar),
            )
            for number, bar in enumerate(self.bars)
            if bar.value > 0
        ]

    def rules(self) -> list[Rule]:
        return [Rule(x, 2, x, self._bottom) for x in map(self._right, self.ticks)]

    def words(self) -> list[Word]:
        names = [
            Word(_NAMES - 8, number * _ROW + 20, Truncator(bar.label).chars(20), "name")
            for number, bar in enumerate(self.bars)
        ]
        values = [
            Word(
                self._right(bar.value) + 6,
                number * _ROW + 20,
                self.money(bar.value),
                "amount",
            )
            for number, bar in enumerate(self.bars)
        ]
        beneath = [
            Word(self._right(tick), self._bottom + 18, self.money(tick), "label")
            for tick in self.ticks
        ]
        return [*names, *values, *beneath]

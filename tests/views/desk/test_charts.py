"""Charts: where bars and words stand, and what is written at them."""

from decimal import Decimal

import pytest
from django.utils import translation

from wagtail_smartgift.formats import format_rounded
from wagtail_smartgift.views.desk.charts import (
    WIDTH,
    Bar,
    Chart,
    LyingChart,
    UprightChart,
    scale,
)


def chart(kind, *values, label="1 Nov"):
    return kind(
        [Bar(label=label, value=Decimal(value), name="A day") for value in values],
        name="sold-gbp",
        heading="Sold by day, in GBP",
        description="The highest bar is A day.",
        currency="GBP",
    )


def words(made: Chart, role):
    return [word.text for word in made.words() if word.role == role]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        ("0", "0 1"),
        ("0.02", "0 0.01 0.02"),
        ("7.50", "0 2 4 6 8"),
        ("20", "0 5 10 15 20"),
        ("1000", "0 500 1000"),
        ("99999999.99", "0 50000000 100000000"),
    ],
)
def test_the_scale_is_of_round_numbers_and_reaches_the_highest(highest, ticks):
    found = scale(Decimal(highest))

    assert found == [Decimal(tick) for tick in ticks.split()]
    assert found[-1] >= Decimal(highest)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1250.50", "£1,251"),
        ("10.49", "£10"),
        ("4.50", "£4.50"),
        ("4.00", "£4"),
        ("0.01", "£0.01"),
        ("0", "£0"),
        ("-30.00", "£-30"),
    ],
)
def test_amounts_are_written_short(amount, text):
    assert format_rounded(Decimal(amount), "GBP") == text


def test_upright_bars_stand_on_the_floor_and_are_as_high_as_their_value():
    made = chart(UprightChart, "100.00", "50.00", "0.00")

    full, half = made.rectangles()
    assert full.height == 2 * half.height > 100
    assert full.y + full.height == half.y + half.height
    assert full.title == "A day: £100"
    assert words(made, "value") == ["£100", "£50"]
    assert words(made, "tick") == ["£0", "£50", "£100"]
    assert len(made.rules()) == 3
    assert words(made, "label") == ["1 Nov"] * 3


def test_what_fell_below_nothing_has_no_bar():
    # A refund whose rest was redeemed on the next day.
    made = chart(UprightChart, "-30.00", "30.00")

    assert len(made.rectangles()) == 1
    assert words(made, "value") == ["£30"]


def test_many_bars_have_fewer_words_and_values_that_are_written_upwards():
    made = chart(UprightChart, *["10.00"] * 31)

    assert len(words(made, "label")) == 8
    values = [word for word in made.words() if word.role == "value"]
    assert len(values) == 31
    assert all(word.is_upright for word in values)
    bars = made.rectangles()
    for bar, after in zip(bars, bars[1:], strict=False):
        assert bar.x + bar.width <= after.x
    # So many that no value could be read: the scale and the table have to do.
    assert words(chart(UprightChart, *["10.00"] * 62), "value") == []


@pytest.mark.parametrize("kind", [UprightChart, LyingChart])
@pytest.mark.parametrize("count", [0, 1, 20, 62])
def test_everything_is_within_the_drawing(kind, count):
    made = chart(kind, *["10.00"] * count)

    for bar in made.rectangles():
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= made.height
    for word in made.words():
        assert 0 <= word.x <= WIDTH
        assert 0 <= word.y <= made.height


def test_lying_bars_have_their_name_and_their_value():
    made = chart(LyingChart, "100.00", "25.00", label="The Old Mill gift voucher")

    full, quarter = made.rectangles()
    assert full.width == 4 * quarter.width > 100
    assert words(made, "name") == ["The Old Mill gift v…"] * 2
    assert words(made, "amount") == ["£100", "£25"]


def test_a_chart_says_what_it_shows_and_has_plain_numbers():
    # French writes its decimals with a comma.
    with translation.override("fr"):
        html = chart(UprightChart, "100.00", "33.33", label="<b>").render_html({})

    assert 'role="img" aria-labelledby="sold-gbp-title sold-gbp-description"' in html
    assert '<title id="sold-gbp-title">Sold by day, in GBP</title>' in html
    assert '<desc id="sold-gbp-description">The highest bar is A day.</desc>' in html
    assert 'tabindex="0"' in html
    assert "style=" not in html
    assert "<b>" not in html
    for part in html.split("<rect")[1:]:
        assert "," not in part.partition(">")[0]

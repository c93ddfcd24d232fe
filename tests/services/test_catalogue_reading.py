"""One product of an answer at a time: tolerant, bounded, harmless."""

from datetime import datetime, timezone

import pytest

from wagtail_smartgift.client import CatalogueVoucher
from wagtail_smartgift.services.catalogue_reading import (
    kept_digest,
    known_digest,
    read_product,
    sanitise,
)


def voucher(**values):
    return CatalogueVoucher.model_validate(
        {"id": 1, "title": "Tea", "type": "experience", "value": "29.50", **values}
    )


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        (" \r\n ", ""),
        ("One.\r\nTwo.\r\n\r\nThree.", "<p>One.<br>Two.</p><p>Three.</p>"),
        ("Bed & breakfast", "<p>Bed &amp; breakfast</p>"),
        ("<p>Kept</p>\r\n<ul><li>so</li></ul>", "<p>Kept</p>\n<ul><li>so</li></ul>"),
        ("Plain\r\n\r\n<p>marked</p>", "<p>Plain</p><p>marked</p>"),
        ("<b>open", "<p><b>open</b></p>"),
        ("a <script>alert(1)</script> b", "<p>a  b</p>"),
        ("<img src=x onerror=alert(1)>x", "<p>x</p>"),
        ('<b onclick="x()">y</b>', "<p><b>y</b></p>"),
        (
            '<a href="javascript:alert(1)">x</a>',
            '<p><a rel="noopener nofollow">x</a></p>',
        ),
        (
            '<a href="https://mill.example">x</a>',
            '<p><a href="https://mill.example" rel="noopener nofollow">x</a></p>',
        ),
    ],
)
def test_descriptions_become_harmless_html(text, html):
    assert sanitise(text) == html


def test_sanitising_again_changes_nothing_that_matters():
    once = sanitise("One & two\r\n\r\n<p>three <b>four</p>")

    assert sanitise(once) == once


def test_long_titles_are_cut_and_empty_ones_named():
    long = read_product(voucher(title="x" * 400))["title"]
    assert len(long) == 255
    assert long.endswith("…")
    assert read_product(voucher(title="  "))["title"] == "#1"
    assert read_product(voucher(title=" A \r\n B "))["title"] == "A B"


def test_what_no_file_can_hold_is_left_out():
    read = read_product(
        voucher(title="Tea\x08 for\x0b two\ufffe", selling_description="A\x1f\tB")
    )

    assert read["title"] == "Tea for two"
    assert read["description_html"] == "<p>A\tB</p>"


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        ("https://images.example/1.jpeg?a=1&b=2", True),
        ("http://127.0.0.1:1/1.png", True),
        ("javascript:alert(1)", False),
        ("data:image/png;base64,AA", False),
        ('https://images.example/"onerror=', False),
        ("https://images.example/" + "x" * 1000, False),
        ("https://[broken", False),
        ("", False),
    ],
)
def test_only_plain_addresses_of_images_are_kept(image, kept):
    assert read_product(voucher(image=image))["image_url"] == (image if kept else "")


@pytest.mark.parametrize("number", [0, -3, 2**40])
def test_counts_of_persons_that_make_no_sense_are_none(number):
    assert read_product(voucher(persons_max=number))["persons_max"] is None


@pytest.mark.parametrize(
    ("count", "kept"), [(None, None), (3, 3), (0, 0), (-2, 0), (2**40, 2**31 - 1)]
)
def test_stock_fits_its_column(count, kept):
    assert read_product(voucher(available_count=count))["available_count"] == kept


def test_times_without_an_offset_are_utc():
    read = read_product(voucher(updated_at="2026-01-02 03:04:05"))

    assert read["remote_updated_at"] == datetime(
        2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc
    )


def test_a_digest_of_another_way_of_reading_is_not_known():
    assert known_digest(kept_digest("abc")) == "abc"
    assert known_digest("0-abc") is None
    assert known_digest("made by a test") is None
    assert len(kept_digest("f" * 60)) <= 64

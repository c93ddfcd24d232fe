"""The voucher field in every state that it can be in, looked at with a real browser.

Each state once here; ``slow`` looks at all of them on a desk, in the dark, from right to
left, and at twice the size.
"""

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.example import states
from tests.example.browser import look
from tests.example.shop import PATIENCE, Shop
from wagtail_smartgift.sandbox import Experience


pytestmark = pytest.mark.browser

FIELD = "#smartgift-vouchers"
#: What each state says, so that none is another one by mistake.
SAYS = {
    "empty": "Voucher number",
    "error": "This voucher cannot be used here.",
    "elsewhere": "This voucher is in use elsewhere until",
    "one": "Your voucher was added.",
    "many": "Afternoon tea for two",
    "covered": "£20.00 stays on it.",
    "not-eligible": "What is left cannot be paid with vouchers.",
    "last-minute": "Keep it for me",
    "lapsed": "No longer kept for you.",
    "taken": "Somebody else was faster",
    "gone": "pays nothing.",
    "confirming": "We are confirming your vouchers.",
    "needs_attention": "Our staff are looking into this payment.",
    "confirmed": "Your vouchers have paid.",
    "cancelled": "This payment was cancelled.",
    "paused": "Gift vouchers cannot be added at the moment",
    "paused-with-one": "To pay all of it another way, remove your vouchers first.",
}
#: Set to a folder to have pictures of all of them made there (with ``-m ""``).
PICTURES = os.environ.get("SMARTGIFT_PICTURES")


@pytest.fixture(scope="module")
def pages(migrated, smart_gift, tmp_path_factory):
    """The page of each state, made by a shop of their own."""
    shop = Shop(tmp_path_factory.mktemp("states"), smart_gift.url)
    shop.start_from(migrated)
    numbers = [f"STATE-{number:04}" for number in range(states.NEEDED)]
    for number in numbers:
        smart_gift.sandbox.add_voucher(number, balance="50.00")
    outing = [
        Experience(2, "Afternoon tea for two"),
        Experience(8, "A walk to the weir with our gardener"),
    ]
    smart_gift.sandbox.add_voucher("STATE-TEA", balance=None, experiences=outing)
    made = subprocess.run(
        [sys.executable, states.__file__, *numbers, "STATE-TEA"],
        env=shop.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    pages = json.loads(made.stdout)
    assert set(pages) == set(SAYS)
    return pages


@pytest.fixture
def gallery(windows, shop, pages):
    """Return a function that opens a window and shows the states in it, one by one."""
    pictures = count(1)

    def each(name, **options):
        page = windows.open("/static/mill/logo.svg", **options)
        page.route(
            "**/states/*",
            lambda route: route.fulfill(
                body=pages[route.request.url.rpartition("/")[2]],
                content_type="text/html",
            ),
        )
        for state, words in SAYS.items():
            page.goto(f"/states/{state}")
            expect(page.locator(FIELD)).to_contain_text(words)
            yield state, page
            if PICTURES:
                path = Path(PICTURES) / f"{name}-{next(pictures):02}-{state}.png"
                page.screenshot(path=path, full_page=True)

    return each


def test_no_state_keeps_anybody_out(gallery):
    for state, page in gallery("telephone", viewport={"width": 360, "height": 740}):
        look(page, within=FIELD)
        if state not in {"last-minute", "lapsed", "taken"}:
            # Shown where it is needed, and nowhere else.
            buttons = page.locator(".smartgift-vouchers__keep button")
            assert not [one for one in buttons.all() if one.is_visible()], state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("desk", {}),
        ("desk-dark", {"color_scheme": "dark"}),
        (
            "telephone-dark",
            {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
        ),
        (
            "telephone-plain",
            {"java_script_enabled": False, "viewport": {"width": 360, "height": 740}},
        ),
        # A window of 1280 pixels at 200 %, and one of a telephone's width at 400 %.
        ("twice-as-large", {"viewport": {"width": 640, "height": 450}}),
        ("four-times-as-large", {"viewport": {"width": 320, "height": 256}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_state_in_every_light_and_size(gallery, name, options):
    for _state, page in gallery(name, **options):
        if options.get("java_script_enabled", True):
            look(page, within=FIELD)


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_every_state_from_right_to_left(gallery, width):
    scripts = "document.addEventListener('DOMContentLoaded', () => (document.documentElement.dir = 'rtl'))"
    options = {"scripts": scripts, "viewport": {"width": width, "height": 740}}
    for _state, page in gallery(f"from-right-{width}", **options):
        look(page, within=FIELD)
        field = page.locator(FIELD).bounding_box()
        for part in page.locator(f"{FIELD} :is(h2, p, li, label, input, button)").all():
            if part.is_visible() and (box := part.bounding_box()):
                assert box["x"] >= field["x"] - 1
                assert box["x"] + box["width"] <= field["x"] + field["width"] + 1

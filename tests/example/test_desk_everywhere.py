"""Every page of the desk, for whoever has other eyes, a telephone, or a dark room.

The addresses are those of the table of who may enter what, so that one that is new is
looked at, too, or said to be left out.
"""

import json

import pytest
from django.urls import reverse

from tests.example.browser import WIDTHS, Windows, look
from tests.views.desk.test_roles import TABLE


pytestmark = pytest.mark.browser

#: Not pages of their own, or none that GET shows.
LEFT_OUT = {
    # Parts of a page, which are looked at within it.
    *(name for name in TABLE if name.endswith("_results")),
    *(name for name in TABLE if name.startswith("smartgift_product_chooser:")),
    # Buttons.
    "smartgift_import_picture",
    "smartgift_products:create_page",
    "smartgift_attention:read",
    "smartgift_deliveries:replay",
    "smartgift_privacy:export",
    "smartgift_privacy:erase",
    # They lead on.
    "smartgift_counter:find",
    "smartgift_webhooks:index",
    # Theirs is a number that was looked up, which no address holds: see
    # ``test_desk_counter``.
    "smartgift_counter:hold",
    "smartgift_counter:apply",
    # More than one payment is looked at: below.
    "smartgift_counter:move",
    "smartgift_counter:release",
    "smartgift_attention:go_on",
    "smartgift_attention:settle",
    "smartgift_attention:settle_order",
}
#: What stands for all of them where time is short.
FEW = {
    "smartgift_payments:index",
    "smartgift_attention:payment",
    "smartgift_inbox:detail",
    "smartgift_reports:health",
}


@pytest.fixture(scope="module")
def world(shop, smart_gift):
    numbers = [f"EVERYWHERE-000{number}" for number in range(3)]
    for number in numbers:
        smart_gift.sandbox.add_voucher(number, balance="50.00")
    code = f"from tests.example.desk_world import make; make(*{numbers!r})"
    return json.loads(shop.manage("shell", "-c", code).strip().splitlines()[-1])


def pages():
    """Return what to look at: a name for people, the address's, and the rows in it."""
    found = [
        (name, name, who.args) for name, who in TABLE.items() if name not in LEFT_OUT
    ]
    more = [
        ("smartgift_counter:move", ("open", "redeem")),
        ("smartgift_counter:move", ("open", "reverse")),
        ("smartgift_counter:move", ("open", "prepare")),
        ("smartgift_counter:move", ("paid", "reverse")),
        ("smartgift_counter:move", ("paid", "refund")),
        ("smartgift_counter:release", ("open", "held")),
        *(
            (name, (payment,))
            for name in ("smartgift_counter:payment", "smartgift_payments:detail")
            for payment in ("open", "paid")
        ),
        *(
            ("smartgift_attention:settle", ("redemption", verdict))
            for verdict in ("redeemed", "not_redeemed")
        ),
        *(
            ("smartgift_attention:settle_order", ("order", verdict))
            for verdict in ("sold", "not_sold", "given_up")
        ),
        ("wagtailadmin_home", ()),
    ]
    return [*found, *((f"{name} {' '.join(args)}", name, args) for name, args in more)]


@pytest.fixture(scope="module")
def desk(chromium, shop):
    """The administrator's window, for all pages one after the other."""
    with Windows(chromium, shop) as windows:
        page = windows.open("/admin/login/")
        page.set_default_timeout(60_000)
        page.fill("[name=username]", "admin")
        page.fill("[name=password]", "admin")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/admin/")
        yield page
    assert windows.faults == []


def look_in_all_ways(page, **options):
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        look(page, widths=WIDTHS, **options)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        pytest.param(
            name,
            args,
            id=label.replace("smartgift_", ""),
            marks=() if label in FEW else pytest.mark.slow,
        )
        for label, name, args in pages()
    ],
)
def test_a_page_is_for_everybody(desk, world, name, args):
    path = reverse(name, args=[world.get(row, row) for row in args])

    answer = desk.goto(path)

    assert answer.status == 200
    assert desk.url.endswith(path)
    look_in_all_ways(desk)


@pytest.mark.slow
def test_the_dialog_in_which_a_product_is_chosen_is_for_everybody(desk, world):
    page = desk
    page.goto(
        reverse(
            "wagtailadmin_pages:add",
            args=["wagtail_smartgift", "voucherpage", world["index"]],
        )
    )
    page.get_by_role("button", name="Choose a voucher").first.click()
    dialog = page.locator(".modal-content")
    dialog.get_by_role("link").first.wait_for()
    look_in_all_ways(page, within=".modal-content")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("smartgift_counter:move", ("open", "reverse")),
        ("smartgift_inbox:replay", ("message",)),
    ],
    ids=["a long button", "no heading"],
)
def test_what_asks_once_more_has_room_on_a_telephone(desk, world, name, args):
    page = desk
    page.set_viewport_size({"width": WIDTHS[0], "height": 760})
    page.goto(reverse(name, args=[world[args[0]], *args[1:]]))

    header = page.locator(".w-slim-header").bounding_box()
    text = page.locator("main h2, main p").first.bounding_box()
    yes = page.get_by_role("button", name="Yes, ").bounding_box()
    no = page.get_by_role("link", name="No, ").bounding_box()

    assert text["y"] >= header["y"] + header["height"] + 8
    beside = no["x"] - (yes["x"] + yes["width"])
    below = no["y"] - (yes["y"] + yes["height"])
    assert max(beside, below) >= 8


def test_what_is_left_out_is_known():
    assert set(TABLE) >= LEFT_OUT
    assert set(TABLE) - LEFT_OUT >= FEW

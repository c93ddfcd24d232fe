"""Every page of the desk, for whoever has other eyes, a telephone, or a dark room.

The addresses are those of the table of who may enter what, so that one that is new is
looked at, too, or said to be left out.
"""

import json

import pytest
from django.urls import reverse

from tests.example.browser import WIDTHS, look
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


def addresses(world):
    """Yield the name of each page, and where it is."""
    for name, who in TABLE.items():
        if name not in LEFT_OUT:
            yield name, reverse(name, args=[world[row] for row in who.args])
    for payment, verb in (
        ("open", "redeem"),
        ("open", "reverse"),
        ("open", "prepare"),
        ("paid", "reverse"),
        ("paid", "refund"),
    ):
        name = "smartgift_counter:move"
        yield f"{name} {verb}", reverse(name, args=[world[payment], verb])
    for payment in ("open", "paid"):
        name = "smartgift_counter:payment"
        yield f"{name} {payment}", reverse(name, args=[world[payment]])
        name = "smartgift_payments:detail"
        yield f"{name} {payment}", reverse(name, args=[world[payment]])
    name = "smartgift_counter:release"
    yield name, reverse(name, args=[world["open"], world["held"]])
    for verdict in ("redeemed", "not_redeemed"):
        name = "smartgift_attention:settle"
        yield f"{name} {verdict}", reverse(name, args=[world["redemption"], verdict])
    for verdict in ("sold", "not_sold", "given_up"):
        name = "smartgift_attention:settle_order"
        yield f"{name} {verdict}", reverse(name, args=[world["order"], verdict])
    yield "the home page", reverse("wagtailadmin_home")


@pytest.fixture
def desk(windows):
    page = windows.open("/admin/login/")
    page.set_default_timeout(60_000)
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    return page


def look_everywhere(page, pages):
    """Look at each in both themes and at both widths, and tell all that is amiss."""
    amiss = []
    for name, path in pages:
        answer = page.goto(path)
        if answer.status != 200 or not page.url.endswith(path):
            amiss.append((name, answer.status, page.url))
            continue
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            for width in WIDTHS:
                try:
                    look(page, widths=[width])
                except AssertionError as error:
                    amiss.append((name, theme, width, str(error)))
    assert amiss == []


def test_some_pages_are_for_everybody(desk, world):
    look_everywhere(desk, [one for one in addresses(world) if one[0] in FEW])


@pytest.mark.slow
def test_all_pages_are_for_everybody(desk, world):
    look_everywhere(desk, [one for one in addresses(world) if one[0] not in FEW])


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
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in WIDTHS:
            look(page, widths=[width], within=".modal-content")


def test_what_is_left_out_is_known():
    assert set(TABLE) >= LEFT_OUT
    assert set(TABLE) - LEFT_OUT >= FEW

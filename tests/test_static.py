"""The scripts and stylesheets that are shipped: small, and typed as they are."""

import gzip
import re
from pathlib import Path

import pytest

from wagtail_smartgift.choices import ProductType, RedemptionStatus, SessionStatus
from wagtail_smartgift.exceptions import ERROR_CODES


PACKAGE = Path(__file__).parents[1] / "wagtail_smartgift"
STATIC = PACKAGE / "static/wagtail_smartgift"
SCRIPT = (STATIC / "smartgift.js").read_text("utf-8")
TYPES = (STATIC / "smartgift.d.ts").read_text("utf-8")

#: Codes that only the shop's server can be answered.
OF_SERVERS = {
    "idempotency_key_required",
    "shortfall",
    "hold_lost",
    "amount_changed",
    "not_confirmed",
    "reference_conflict",
    "amount_too_large",
    "currency_mismatch",
    "order_refused",
}


#: What the customer's browser loads of each page. The budget is a page's, not that of
#: all scripts together: no page loads all of them.
SCRIPTS = {
    "the voucher page": ["voucher-page.js"],
    "the payment page": ["smartgift.js", "voucher-field.js"],
    "the printed card": ["printing/print.js"],
    "the balance page": ["balance.js"],
}


def of_customers(suffix):
    """Return the files of a kind that are not the desk's, by their names."""
    found = {
        path.relative_to(STATIC).as_posix(): path
        for path in STATIC.rglob(f"*.{suffix}")
    }
    return {name: path for name, path in found.items() if not name.startswith("desk/")}


def over_the_wire(paths):
    """Bytes as a web server sends them; there is no build step that could shrink them.

    Compressed at level 6, which is what most servers use.
    """
    return sum(len(gzip.compress(one.read_bytes(), 6)) for one in paths)


@pytest.mark.parametrize("page", SCRIPTS)
def test_the_scripts_of_a_page_are_small(page):
    assert over_the_wire(STATIC / name for name in SCRIPTS[page]) < 8 * 1024


def test_each_script_is_some_page_s():
    of_pages = {name for names in SCRIPTS.values() for name in names}

    assert of_customers("js").keys() == of_pages


def test_the_desk_loads_each_of_its_files():
    code = "".join(
        path.read_text("utf-8")
        for path in (PACKAGE / "wagtail_hooks.py", *(PACKAGE / "views").rglob("*.py"))
    )
    loaded = set(re.findall(r'/([\w-]+\.(?:css|js))"', code))

    assert {path.name for path in (STATIC / "desk").iterdir()} == loaded


def test_all_stylesheets_together_are_small():
    sheets = of_customers("css")

    assert {"smartgift.css", "voucher-field.css"} <= sheets.keys()
    assert over_the_wire(sheets.values()) < 10 * 1024


def test_scripts_need_nothing_and_no_exception_from_a_policy():
    for script in STATIC.glob("*.js"):
        text = script.read_text("utf-8")
        assert set(re.findall(r'from "([^"]+)"', text)) <= {"./smartgift.js"}
        assert not re.search(
            r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write|"
            r"localStorage|sessionStorage|indexedDB|\.style\b",
            text,
        )


def test_what_is_exported_is_typed():
    exported = re.findall(r"^export (?:async )?(?:class|function) (\w+)", SCRIPT, re.M)
    typed = re.findall(r"^export (?:class|function) (\w+)", TYPES, re.M)

    assert sorted(exported) == sorted(typed)


def test_each_method_is_typed():
    def methods(text, indented):
        body = re.split(r"^(?:export )?class SmartGift\b", text, flags=re.M)[1]
        body = body.partition("\n}")[0]
        return sorted(
            set(re.findall(rf"^  (?:async )?(\w+)\(.*{indented}$", body, re.M))
        )

    assert methods(SCRIPT, r"\{") == methods(TYPES.replace("export ", ""), ";")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("VoucherType", ProductType),
        # A released one is not listed.
        ("RedemptionStatus", set(RedemptionStatus) - {RedemptionStatus.RELEASED}),
        ("SessionStatus", SessionStatus),
    ],
)
def test_the_words_are_those_of_the_api(name, words):
    union = re.search(rf"^export type {name} =([^;]*);", TYPES, re.M)[1]

    assert sorted(re.findall(r'"(\w+)"', union)) == sorted(words)


def test_the_codes_are_those_of_the_api():
    union = re.search(r"type ErrorCode =(.*?)\(string", TYPES, re.S)[1]
    codes = set(re.findall(r'\| "(\w+)"', union))

    assert codes == set(ERROR_CODES) - OF_SERVERS | {"network", "unexpected"}

"""The documentation says what is true: names, defaults, statuses, links and quoted code.

Each list in the reference is compared with the code, in both directions where a name
that is no longer there would mislead.
"""

import ast
import dataclasses
import importlib.util
import inspect
import itertools
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.dispatch import Signal

from wagtail_smartgift import (
    exceptions,
    forms,
    health,
    payments,
    printing,
    sales,
    signals,
)
from wagtail_smartgift.choices import RedemptionStatus, SessionStatus
from wagtail_smartgift.client import errors as client_errors
from wagtail_smartgift.conf import Conf
from wagtail_smartgift.testing import running_sandbox


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "wagtail_smartgift"
REFERENCE = REPOSITORY / "docs" / "reference"
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
DECISIONS = sorted((REPOSITORY / "docs" / "adr").glob("*.md"))

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTE = re.compile(r"<!-- from (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def reference(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its rank."""
    rank = heading.partition(" ")[0]
    _before, found, after = text.partition(f"{heading}\n")
    assert found, heading
    return re.split(rf"^{rank} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str, column: int = 0) -> list[str]:
    """Return a column of the tables in a text: what stands in backquotes, if any does."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return [
        name
        for row in rows
        for name in re.findall(r"`([^`]+)`", row[column]) or [row[column]]
    ]


# -- the reference and the code -------------------------------------------------


def test_each_setting_is_documented():
    text, _found, reserved = reference("settings.md").partition("## Reserved")
    headings = re.findall(r"^### ([A-Z_, ]+)$", text, re.MULTILINE)
    documented = {name for line in headings for name in line.split(", ")}
    documented |= set(re.findall(r"`([A-Z_]{4,})`", reserved))

    assert documented == {field.name.upper() for field in dataclasses.fields(Conf)}


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("### RATE_LIMIT", ["rate_limit"]),
        ("### TIMEOUT, SETTLE, LATE", ["timeout", "settle", "late"]),
        ("### SESSION_LIFETIME", ["session_lifetime"]),
        ("### ABANDONED_AFTER", ["abandoned_after"]),
        ("### CURRENCY", ["currency"]),
        ("### OWN_VOUCHER_CODES", ["own_voucher_codes"]),
        ("### ALLOW_VOUCHERS_FOR_VOUCHERS", ["allow_vouchers_for_vouchers"]),
        ("### EXPERIENCE_VALUE", ["experience_value"]),
        ("### ADD_TO_BASKET", ["add_to_basket"]),
        ("### REFERENCE_PREFIX", ["reference_prefix"]),
    ],
)
def test_defaults_are_those_of_the_code(heading, names):
    defaults = {field.name: field.default for field in dataclasses.fields(Conf)}
    [line] = re.findall(
        r"^Default: (.*)$",
        section(reference("settings.md"), heading),
        re.MULTILINE,
    )

    said = re.findall(r"`([^`]+)`", line)[: len(names)]
    assert list(map(ast.literal_eval, said)) == [defaults[name] for name in names]


def test_each_error_code_is_documented_with_its_status():
    codes, _found, reserved = section(reference("errors.md"), "## Codes").partition(
        "Reserved"
    )
    documented = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", codes, re.MULTILINE))
    documented |= dict(re.findall(r"`(\w+)` \((\d{3})\)", reserved))

    assert {code: int(status) for code, status in documented.items()} == {
        code: status for code, (status, _title) in exceptions.ERROR_CODES.items()
    }


def test_each_error_of_the_client_is_documented():
    found = {
        name
        for name, value in vars(client_errors).items()
        if inspect.isclass(value)
        and issubclass(value, client_errors.SmartGiftError)
        and value is not client_errors.SmartGiftError
    }

    text = section(reference("errors.md"), "## Errors of the client")
    assert found == set(table(text)) - {"class", "---"}


def test_each_signal_is_documented():
    found = {name for name, value in vars(signals).items() if isinstance(value, Signal)}

    text = reference("signals.md")
    documented = set(re.findall(r"^\| `(\w+_\w+)` \| \w+ \|", text, re.MULTILINE))
    documented |= set(re.findall(r"`(\w+)` is reserved", text))
    assert documented == found


def test_each_event_is_documented():
    text = reference("events.md")

    assert set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE)) == set(
        signals.SIGNALS
    )


def test_each_command_is_documented():
    ours = {name for name, app in get_commands().items() if app == "wagtail_smartgift"}

    assert set(re.findall(r"## `(smartgift_\w+)`", reference("commands.md"))) == ours


def test_no_page_names_a_command_that_does_not_exist():
    named = {
        (name_of(page), command)
        for page in PAGES
        for command in re.findall(
            r"manage\.py (smartgift_\w+)", page.read_text("utf-8")
        )
    }

    assert {command for _page, command in named} <= set(get_commands())


def test_each_check_of_health_is_documented(db):
    with running_sandbox():
        checks = set(health.check_up())

    documented = table(section(reference("json-api.md"), "## Health"))
    assert set(documented) - {"check"} == checks


def test_the_layers_are_those_that_are_checked():
    """Each module in a row, the rows in the order that import-linter keeps."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    rank = {
        name: number
        for number, layer in enumerate(layers)
        for name in re.findall(r"\w+", layer)
    }
    page = (REPOSITORY / "docs" / "contributing.md").read_text("utf-8")
    rows = [
        [rank[name] for name in re.findall(r"`(\w+)`", row)]
        for row in section(page, "## The layers").splitlines()
        if row.startswith("| ") and "`" in row
    ]

    assert sorted(sum(rows, [])) == sorted(rank.values())
    for above, below in itertools.pairwise(rows):
        assert max(above) < min(below)


def test_each_status_is_documented():
    text = reference("payments.md")
    of_payments = table(section(text, "## Statuses of a payment"))
    of_redemptions = table(section(text, "## Statuses of a redemption"))

    assert set(of_payments) - {"status", "---"} == set(SessionStatus.values)
    assert set(of_redemptions) - {"status", "---"} == set(RedemptionStatus.values)


@pytest.mark.parametrize("module", [payments, sales], ids=["payments", "sales"])
def test_each_python_name_is_documented_with_its_arguments(module):
    text = section(reference("python.md"), f"## `{module.__name__}`")

    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            arguments = [
                parameter.name if parameter.default is parameter.empty
                else f"{parameter.name}={parameter.default!r}"
                for parameter in inspect.signature(thing).parameters.values()
                # How long to wait for a place in the quota has words of its own.
                if parameter.name != "patience"
            ]  # fmt: skip
            assert f"`{name}(*, {', '.join(arguments)})`" in text
        else:
            assert f"`{name}`" in text


@pytest.mark.parametrize(
    "thing",
    [
        payments.Session,
        payments.RedemptionState,
        sales.Order,
        sales.OrderItem,
        sales.PaymentMethod,
        printing.Purchase,
        printing.BoughtVoucher,
        printing.PrintedCard,
        forms.VoucherChoice,
    ],
)
def test_each_field_is_documented(thing):
    text = section(reference("python.md"), f"### `{thing.__name__}`")

    for field in dataclasses.fields(thing):
        assert f"`{field.name}`" in text


def test_templates_blocks_and_properties_are_documented():
    text = reference("templates.md")
    root = PACKAGE / "templates" / "wagtail_smartgift"
    templates = {
        path.relative_to(root).as_posix(): path for path in root.rglob("*.html")
    }
    blocks = {
        name
        for part, path in templates.items()
        if not part.startswith("desk/")
        for name in re.findall(r"{% block (\w+) %}", path.read_text("utf-8"))
    }
    # The host's own blocks, and one of Wagtail's.
    blocks -= {"title", "extra_css", "content", "css"}
    properties = {
        name
        for path in (PACKAGE / "static").rglob("*.css")
        for name in re.findall(r"var\((--smartgift-[a-z-]+)", path.read_text("utf-8"))
    }

    missing = {
        name
        for name in {*templates, *blocks, *properties}
        if not name.startswith("desk/") and f"`{name}`" not in text
    }
    assert missing == set()


def test_the_commands_of_the_readme_exist():
    specification = importlib.util.spec_from_file_location(
        "tasks", REPOSITORY / "tasks.py"
    )
    tasks = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tasks)
    acts = {
        act
        for page in PAGES
        for act in re.findall(r"python tasks\.py (\w+)", page.read_text("utf-8"))
    }

    assert {"shop", "test"} <= acts <= set(tasks.ACTS)


def test_the_versions_of_the_readme_are_those_of_the_project():
    project = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    versions = section((REPOSITORY / "README.md").read_text("utf-8"), "## Versions")

    pythons = re.findall(r"Python :: (3\.\d+)", project)
    djangos = re.findall(r"Django :: (\d\.\d)", project)
    [wagtail] = re.findall(r'"wagtail>=([\d.]+)"', project)
    assert f"Python {pythons[0]} to {pythons[-1]}" in versions
    assert f"Wagtail {wagtail} and newer" in versions
    assert all(version in versions for version in djangos)


# -- the pages themselves -------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """Return the names that GitHub gives to a page's headings."""
    text = BLOCK.sub("", path.read_text("utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("document", PAGES, ids=name_of)
def test_links_lead_somewhere(document):
    text = BLOCK.sub("", document.read_text("utf-8"))
    broken = []
    for link in LINK.findall(text):
        if link.startswith(("https://", "mailto:")):
            continue
        target, _hash, anchor = link.partition("#")
        path = (document.parent / target).resolve() if target else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("document", PAGES, ids=name_of)
def test_python_can_be_read_by_python(document):
    for language, code in BLOCK.findall(document.read_text("utf-8")):
        if language == "python":
            # Quoted parts of a function: a whole one again, with what is left out.
            code = textwrap.dedent(code).replace("…\n", "...\n")
            compile(
                "def quoted():\n" + textwrap.indent(code, "    "),
                name_of(document),
                "exec",
                flags=ast.PyCF_ONLY_AST,
            )


def test_quoted_code_is_the_code():
    quotes = [
        (page, source, code)
        for page in PAGES
        for source, code in QUOTE.findall(page.read_text("utf-8"))
    ]
    assert quotes

    for page, source, code in quotes:
        text = (REPOSITORY / source).read_text("utf-8")
        lines = [line.strip() for line in text.splitlines()]
        kept = "\n".join(lines)
        position = 0
        for part in re.split(r"^\s*…\n", code, flags=re.MULTILINE):
            wanted = "\n".join(line.strip() for line in part.strip().splitlines())
            position = kept.find(wanted, position)
            assert position >= 0, f"{name_of(page)} quotes {source}: {wanted}"


def test_the_tests_of_the_testing_page_pass(db):
    page = REPOSITORY / "docs" / "how-to" / "testing-your-integration.md"
    blocks = [code for _language, code in BLOCK.findall(page.read_text("utf-8"))]
    [example] = [code for code in blocks if "def test_a_voucher_pays" in code]
    [lost_answer] = [code for code in blocks if "lost_after" in code]

    names: dict[str, Any] = {}
    exec(example, names)
    with running_sandbox() as sandbox:
        names["test_a_voucher_pays_for_the_order"](sandbox)
    exec(lost_answer, {})


def test_every_page_can_be_found_from_the_index():
    index = REPOSITORY / "docs" / "index.md"
    listed = {
        (index.parent / link.partition("#")[0]).resolve()
        for link in LINK.findall(index.read_text("utf-8"))
    }

    pages = {page for page in PAGES if page.is_relative_to(index.parent)}
    assert pages - listed == {index}


@pytest.mark.parametrize("decision", DECISIONS, ids=name_of)
def test_a_decision_is_short_and_says_what_was_rejected(decision):
    text = decision.read_text("utf-8")

    assert len(text.encode()) < 3000
    for part in ("**Tags**:", "**Why.**", "**Rejected**"):
        assert part in text


def test_decisions_are_numbered_in_a_row():
    numbers = [int(path.name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("document", PAGES, ids=name_of)
def test_a_page_is_finished_and_names_no_machine(document):
    text = document.read_text("utf-8")

    assert not re.search(r"\b(TODO|FIXME|TBD|XXX)\b", text)
    assert not re.search(r"(?<![\w.])/(?:home|root|Users|work|tmp)/[\w.-]+", text)

"""The benchmarks run, and what they must find wrong they do find.

Tiny sizes, and no times: those depend on the machine. Each benchmark runs as its
command does, in processes of its own.
"""

import json
import subprocess
import sys

import pytest

from tests.benchmarks import campaign, catalogue, overhead, quota, strategies
from tests.benchmarks.quota_cell import Cell


NAMES = (
    *("campaign", "catalogue", "overhead", "pages", "quota", "strategies"),
    "vouchers",
)


@pytest.mark.parametrize("name", NAMES)
def test_each_tells_what_it_measures(name):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.benchmarks.{name}", "--help"],
        capture_output=True,
        check=True,
        text=True,
    )

    assert "usage: " in done.stdout


def printed(main, capsys, *arguments):
    """Run a benchmark's command; return its exit code and what it printed as JSON."""
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_campaign_finds_nothing(capsys):
    code, results = printed(
        campaign.main,
        capsys,
        *("--checkouts", "16", "--processes", "3", "--kills", "0.1"),
    )

    found = results["sqlite"]
    assert (code, found["discrepancies"], found["undecided"]) == (0, [], [])
    assert found["kills"] >= 1
    assert found["spoilt"] > 0
    assert sum(found["orders"].values()) >= 14
    # Whatever needs a person has its proof.
    assert all(one["cases"] == one["proved"] for one in found["attention"].values())


@pytest.mark.slow
def test_ours_neither_debits_twice_nor_lies(capsys):
    code, results = printed(
        strategies.main,
        capsys,
        *("--trials", "6", "--models", "ends-accepted", "--amounts", "small"),
    )

    ours = results[-1]
    assert (code, ours["strategy"]) == (0, "ours")
    assert (ours["double"], ours["taken_untold"], ours["untaken_told"]) == (0, 0, 0)
    assert ours["paid"] + ours["person"] >= 4
    assert all(one["calls"] >= one["trials"] for one in results)


@pytest.mark.slow
def test_our_own_queries_do_not_grow(capsys):
    _code, results = printed(overhead.main, capsys, "--sizes", "3,40", "--rounds", "1")

    few, many = (
        {one["what"]: one for one in results if one["size"] == size} for size in (3, 40)
    )
    assert {name: one["calls"] for name, one in few.items()} == {
        "hold": 2,
        "confirm": 1,
        "sale": 1,
        "idle sweep": 0,
        "yardstick": 0,
    }
    assert few["hold"]["yardsticks"] > few["yardstick"]["yardsticks"] == 1
    for name, one in many.items():
        assert one["queries"] == few[name]["queries"]
        assert one["median"] > 0


def test_a_sync_of_what_is_known_asks_once(capsys):
    _code, results = printed(
        catalogue.main,
        capsys,
        *("--products", "120", "--loop", "5", "--pages", "1", "--rounds", "1"),
    )

    queries = {one["what"]: one["queries"] for one in results}
    # What is known, and the time of the sync in a transaction of its own.
    assert queries["nothing changed"] <= 5
    assert queries["nothing changed"] < queries["1 % changed"]
    assert queries["a get-or-create loop"] >= 5 * 2
    assert queries["a page for each"] > 20


@pytest.mark.slow
def test_pages_ask_as_much_however_many_vouchers_there_are():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.pages"]
        + ["--quick", "--rounds", "1", "--json"],
        capture_output=True,
        check=True,
        text=True,
    )

    pages = {one["page"]: one for one in json.loads(done.stdout)}
    assert pages.keys() == {"index", "voucher's page", "plain page"}
    for one in pages.values():
        assert one["queries"] == one["queries_of_few"] > one["bare_queries"] > 0
        assert one["calls"] == 0
        assert one["times"] > 0


@pytest.mark.slow
def test_a_first_visit_makes_no_picture():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.pages"]
        + ["--cards", "1", "--json"],
        capture_output=True,
        check=True,
        text=True,
    )

    page, picture, rest, again = json.loads(done.stdout)
    assert (page["files"], picture["files"], again["files"]) == (0, 1, 0)
    assert rest["files"] >= 3


@pytest.mark.slow
def test_the_catalogue_is_answered_beside_others():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.vouchers"]
        + ["--quick", "--products", "2", "--dressed", "1", "--rounds", "1", "--json"],
        capture_output=True,
        check=True,
        text=True,
    )

    found = {one["who"]: one for one in json.loads(done.stdout)}
    assert found["our GET vouchers"]["status"] == 200
    assert found["our GET vouchers, 304"]["status"] == 304
    assert found["plain JsonResponse(list(qs.values()))"]["times"] == 1


@pytest.mark.slow
def test_the_quota_of_redemptions_alone_is_used_up():
    cell = Cell(
        limiter="own",
        database="sqlite",
        processes=1,
        scenario="redemptions",
        limit=60,
        span=2.0,
        windows=1,
        busy=4,
    )

    found = quota.figures(cell, quota.measure(cell))

    assert (found["errors"], found["refused"]) == (0, 0)
    assert found["redemptions"] > 0

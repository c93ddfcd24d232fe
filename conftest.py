"""What the test suite needs from the machine, and what happens where it is missing.

Owns the markers ``browser``, ``postgres``, ``redis`` and ``every_database`` and the
profiles of Hypothesis; fixtures live beside the tests. With ``CI=true`` a test with one of the
markers fails instead of being skipped, so that a green run has run them all.
"""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings


#: Marker: what to say where that part of the machine is missing.
NEEDS = {
    "browser": "no Chromium (install chromium, or set CHROMIUM_PATH)",
    "postgres": "no PostgreSQL (set SMARTGIFT_TEST_POSTGRES to 'host=… port=… user=…')",
    "redis": "no Redis (set REDIS_URL)",
}
TESTS = Path(__file__).parent / "tests"
#: Folders of tests that run on PostgreSQL too: databases differ in how they let two
#: workers at one row.
EVERY_DATABASE = {"budget", "services"}
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# No deadlines: a loaded machine is no bug. Each run of CI tries the same examples.
settings.register_profile(
    "quick", max_examples=30, deadline=None, derandomize=IN_CI, print_blob=True
)
settings.register_profile(
    "thorough", max_examples=1000, stateful_step_count=100, deadline=None
)
settings.load_profile(os.environ.get("SMARTGIFT_HYPOTHESIS") or "quick")


def chromium() -> str | None:
    """Return the path of the browser that the tests drive, if there is one."""
    return os.environ.get("CHROMIUM_PATH") or next(
        filter(
            None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
        ),
        None,
    )


def missing() -> set[str]:
    """Return the markers whose part of the machine is not there."""
    there = {
        "browser": chromium(),
        "postgres": os.environ.get("SMARTGIFT_TEST_POSTGRES"),
        "redis": os.environ.get("REDIS_URL"),
    }
    return {marker for marker in NEEDS if not there[marker]}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(TESTS) and (
            item.path.relative_to(TESTS).parts[0] in EVERY_DATABASE
        ):
            item.add_marker("every_database")
    for marker in missing():
        skip = pytest.mark.skip(reason=NEEDS[marker])
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and any(map(item.get_closest_marker, NEEDS)):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, object],
) -> dict[str, object]:
    """Drive the machine's own Chromium: Playwright's builds are not downloaded."""
    return {**browser_type_launch_args, "executable_path": chromium()}

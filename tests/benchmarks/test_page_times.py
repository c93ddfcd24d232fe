"""Pages keep to the time that is promised of them: ratios, however fast the machine.

The benchmark has ours and the bare page take turns and looks at the processor's time,
so most of what else the machine does is in both. What is left only ever makes one run
worse than another, so the best of a few counts.
"""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.pages import LIMIT


ATTEMPTS = 3


@pytest.mark.slow
def test_a_page_takes_hardly_longer_than_a_bare_one():
    best: dict[str, float] = {}
    for _attempt in range(ATTEMPTS):
        for one in measured(products=500, rounds=15):
            assert one["queries"] == one["queries_of_few"], one
            assert one["calls"] == 0, one
            best[one["page"]] = min(one["times"], best.get(one["page"], one["times"]))
        if max(best.values()) <= LIMIT:
            break

    assert best.keys() == {"index", "voucher's page", "plain page"}
    assert max(best.values()) <= LIMIT, best


def measured(*, products, rounds):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.pages", "--json"]
        + [f"--products={products}", f"--rounds={rounds}"],
        capture_output=True,
        # It ends with 1 where a page took too long, which is asked here.
        check=False,
        text=True,
    )
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)

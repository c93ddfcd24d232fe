"""A short run of ``tests.fuzz`` against the served shop; the long one is by hand."""

import pytest


fuzz = pytest.importorskip("tests.fuzz", reason="schemathesis wants a newer Python")


def test_nothing_that_comes_in_breaks_it_or_surprises_its_description(shop, sandbox):
    run = fuzz.Fuzz(fuzz.World(shop, sandbox), examples=6, seed=20)
    try:
        run.run()
    finally:
        print(run.report())

    # It has been about something: every call was also done, and refused.
    operations = {name for name, _status in run.answers}
    done = {name for name, status in run.answers if status < 300}
    assert operations == done
    # Of what the shop tells, too: taken in, misshapen, and not signed.
    told = {status for name, status in run.answers if name == fuzz.SIGNED}
    assert {202, 400, 401} <= told
    assert run.answers[fuzz.SIGNED, 202] >= 3
    assert {"malformed", "invalid", "unauthenticated", "not_found"} <= set(run.codes)
    assert "Traceback" not in (shop.folder / "serve.log").read_text()

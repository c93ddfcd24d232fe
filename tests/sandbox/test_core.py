"""The doors for tests, the ledger, the clock and the file."""

import random
import threading
import time
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from tests.sandbox.conftest import Caller
from wagtail_smartgift.sandbox import (
    Behaviour,
    Clock,
    DatabaseInUse,
    Experience,
    Fault,
    Refusal,
    Sandbox,
    SandboxServer,
)


GOOD = "GOOD-0050-0001"


def test_a_clock_moves_forward_only():
    clock = Clock(start=datetime(2026, 1, 1, tzinfo=timezone.utc), frozen=True)
    clock.advance(301)
    assert clock.datetime() == datetime(2026, 1, 1, 0, 5, 1, tzinfo=timezone.utc)
    for wrong in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="forward"):
            clock.advance(wrong)
    with pytest.raises(ValueError, match="aware"):
        Clock(start=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test

    clock.resume()
    running = clock.now()
    time.sleep(0.01)
    assert clock.now() > running
    clock.freeze()
    assert clock.frozen
    assert clock.now() == clock.now()


def test_a_sandbox_answers_without_http(sandbox):
    token = sandbox.call("hold", {"voucher_no": GOOD}).body["hold_token"]
    answer = sandbox.call(
        "redeem",
        {"voucher_no": GOOD, "site_id": "1", "value": 20, "hold_token": token},
    )

    assert answer.status == 200
    assert sandbox.voucher(GOOD).balance == 30


def test_what_comes_out_is_a_copy(sandbox):
    sandbox.voucher(GOOD).pence = 0
    sandbox.products()[0].title = "x"

    assert sandbox.voucher(GOOD).balance == 50
    assert sandbox.product(37).title != "x"


def test_another_till_holds_and_spends(sandbox, api):
    sandbox.hold_by_till(GOOD)
    assert api.hold(GOOD).status == 422
    with pytest.raises(Refusal):
        sandbox.hold_by_till(GOOD)
    with pytest.raises(Refusal):
        sandbox.spend_by_till(GOOD, 10)
    assert sandbox.voucher(GOOD).balance == 50

    sandbox.spend_by_till(GOOD, "10.50", despite_hold=True)
    sandbox.release_by_till(GOOD)

    assert sandbox.voucher(GOOD).balance == Decimal("39.50")
    assert api.hold(GOOD).status == 200
    with pytest.raises(Refusal):
        sandbox.release_by_till("GOOD-0025-0001")
    with pytest.raises(Refusal):
        sandbox.spend_by_till("GOOD-0025-0001", 26)
    sandbox.spend_by_till("TEA-0002-0001", bits=8)
    assert sandbox.voucher("TEA-0002-0001").remaining_bits == 2


def test_staff_top_up_cancel_and_expire(sandbox, api):
    sandbox.top_up(GOOD, 5)
    assert sandbox.voucher(GOOD).balance == 55
    sandbox.cancel_voucher(GOOD)
    sandbox.expire_voucher("GOOD-0025-0001")

    assert api.check(GOOD).status == api.check("GOOD-0025-0001").status == 422
    assert [e.event for e in sandbox.ledger(voucher_no=GOOD)] == [
        "issue",
        "top_up",
        "cancel",
    ]


def test_vouchers_are_added_with_or_without_a_number(sandbox, api):
    made = sandbox.add_voucher(balance="12.34")
    assert api.check(made.number).json["data"]["remaining_value"] == 12.34
    sandbox.add_voucher("MINE", experiences=[Experience(4, "Tea")])
    assert api.check("MINE").json["data"]["remaining_value"] == 4


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"balance": 1, "experiences": [Experience(1, "Tea")]},
        {"number": GOOD, "balance": 1},
        {"balance": "1.001"},
        {"balance": -1},
        {"balance": 1, "company_id": 9},
        {"experiences": [Experience(3, "Tea")]},
        {"experiences": [Experience(2, "Tea"), Experience(2, "Walk")]},
    ],
)
def test_a_voucher_that_makes_no_sense_is_not_added(sandbox, values):
    before = len(sandbox.ledger())

    with pytest.raises(ValueError, match=r"\w"):
        sandbox.add_voucher(**values)

    assert len(sandbox.ledger()) == before


def test_unknown_things_are_not_found(sandbox):
    for look in (
        lambda: sandbox.voucher("NO"),
        lambda: sandbox.product(1),
        lambda: sandbox.remove_product(1),
        lambda: sandbox.hold_by_till("NO"),
    ):
        with pytest.raises(LookupError):
            look()
    with pytest.raises(AttributeError):
        sandbox.change_product(37, colour="red")


def folded(sandbox):
    """Return every monetary balance as the ledger alone tells it."""
    signs = {"issue": 1, "sale": 1, "top_up": 1, "reverse": 1, "redeem": -1}
    balances = {}
    for entry in sandbox.ledger():
        change = signs.get(entry.event, 0) * entry.amount
        balances[entry.voucher_no] = balances.get(entry.voucher_no, 0) + change
    return balances


def test_the_ledger_explains_every_balance(sandbox, api):
    ids = api.ids(GOOD, 20)
    api.redeem(GOOD, 5.5)
    api.reverse(GOOD, ids)
    api.sell({"id": 37, "price": 25, "code": "NEW"})
    api.redeem("NEW", 10)
    sandbox.spend_by_till("GOOD-0100-0001", 99)

    balances = folded(sandbox)

    for voucher in sandbox.vouchers():
        if voucher.type == "monetary":
            assert balances[voucher.number] == voucher.balance
    assert [e.id for e in sandbox.ledger()] == list(range(1, len(sandbox.ledger()) + 1))
    last = sandbox.ledger()[-1].id
    api.hold(GOOD)
    (entry,) = sandbox.ledger(after=last)
    assert (entry.event, entry.by) == ("hold", "api")
    assert entry.request_id == sandbox.log()[-1].id


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_calls_breaks_the_books(sandbox, seed):
    """A thousand random calls of two tills and a shop, late ones among them."""
    chance = random.Random(seed)
    numbers = ["GOOD-0010-0001", GOOD, "TEA-0002-0001", "MIXED-0003-0001"]
    tokens, ids = [None, "hold_token_wrong"], [1]

    for _ in range(1000):
        number = chance.choice(numbers)
        body = {
            "voucher_no": number,
            "site_id": chance.choice("12"),
            "value": chance.choice([1, 2, 8, 10, 0.01, 4.99]),
            "hold_token": chance.choice(tokens),
            "redemptions": [chance.choice(ids)],
        }
        operation = chance.choice(
            [
                "check",
                "hold",
                "release",
                "redeem",
                "redeem",
                "redeem-unified",
                "reverse",
            ]
        )
        if chance.random() < 0.05:
            company = sandbox.companies[0]
            sandbox.perform_late(chance.uniform(0, 600), operation, company, body)
        else:
            answer = sandbox.call(operation, body).body
            tokens += [answer["hold_token"]] if "hold_token" in answer else []
            ids += answer.get("data", {}).get("redemptions", [])
        sandbox.clock.advance(chance.choice([0, 0, 1, 90]))

    entries = sandbox.ledger()
    balances = folded(sandbox)
    standing = [one for one in sandbox.redemptions() if one.reversed_at is None]
    for voucher in map(sandbox.voucher, numbers):
        mine = [one for one in standing if one.voucher_no == voucher.number]
        used = sum(one.bit_value for one in mine)
        assert voucher.balance >= 0
        if voucher.type == "monetary":
            assert balances[voucher.number] == voucher.balance
        else:
            every = sum(one.bit_value for one in voucher.experiences)
            assert voucher.remaining_bits == every - used
        # Holds begin and end by turns.
        ends = {"lapse", "release", "hold_used"}
        turns = [
            entry.event == "hold"
            for entry in entries
            if entry.voucher_no == voucher.number and entry.event in {"hold", *ends}
        ]
        assert all(a is not b for a, b in zip(turns, turns[1:], strict=False))
        assert not turns or turns[0]
    assert [e.time for e in entries] == sorted(e.time for e in entries)


def test_a_lapse_is_dated_by_the_hold_not_by_who_looked(sandbox):
    sandbox.call("hold", {"voucher_no": GOOD})
    until = sandbox.voucher(GOOD).hold.until
    sandbox.clock.advance(10_000)

    (lapse,) = sandbox.ledger(voucher_no=GOOD, event="lapse")

    assert lapse.time == until


def test_everything_survives_a_restart(tmp_path):
    path = tmp_path / "sandbox.sqlite3"
    first = Sandbox(database=path)
    token = first.call("hold", {"voucher_no": GOOD}).body["hold_token"]
    first.call("redeem", {"voucher_no": "TEA-0002-0001", "site_id": "1", "value": 2})
    first.add_voucher("ADDED", balance=7)
    first.change_product(42, available_count=1)
    first.remove_product(45)
    first.clock.advance(120)
    first.call("hold", {"voucher_no": "ADDED"})
    before = (first.vouchers(), first.products(), first.redemptions(), first.ledger())
    first.close()

    second = Sandbox(database=path)

    after = (
        second.vouchers(),
        second.products(),
        second.redemptions(),
        second.ledger(),
    )
    for old, new in zip(before, after, strict=True):
        assert sorted(map(repr, old)) == sorted(map(repr, new))
    assert 115 < second.clock.offset < 125
    released = second.call("release", {"voucher_no": GOOD, "hold_token": token})
    assert released.status == 200
    second.call("redeem", {"voucher_no": GOOD, "site_id": "1", "value": 2})
    assert second.redemptions()[-1].id == 1002
    second.close()


def test_an_order_survives_a_restart_and_keeps_its_reference(tmp_path):
    path = tmp_path / "sandbox.sqlite3"
    with SandboxServer(Sandbox(database=path)) as server:
        caller = Caller(server.port)
        caller.sell({"id": 37, "price": 25})
        caller.close()
    with SandboxServer(Sandbox(database=path)) as server:
        caller = Caller(server.port)
        assert caller.sell({"id": 37, "price": 25}).status == 422
        caller.close()
        assert len(server.sandbox.sales()) == 1


def test_a_file_belongs_to_one_sandbox_at_a_time(tmp_path):
    path = tmp_path / "sandbox.sqlite3"
    first = Sandbox(database=path)

    with pytest.raises(DatabaseInUse):
        Sandbox(database=path)

    first.close()
    Sandbox(database=path).close()


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada, " * 100)

    with pytest.raises(DatabaseInUse):
        Sandbox(database=path)

    assert path.read_text().startswith("Dear Ada")


def test_threads_share_one_file(tmp_path):
    sandbox = Sandbox(database=tmp_path / "sandbox.sqlite3")
    body = {"voucher_no": "GOOD-0100-0001", "site_id": "1", "value": 1}

    def work():
        for _ in range(20):
            sandbox.call("redeem", body)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sandbox.voucher("GOOD-0100-0001").balance == 20
    sandbox.close()
    again = Sandbox(database=tmp_path / "sandbox.sqlite3")
    assert again.voucher("GOOD-0100-0001").balance == 20
    again.close()


def test_reset_starts_over_in_the_file_too(tmp_path):
    path = tmp_path / "sandbox.sqlite3"
    first = Sandbox(database=path, behaviour=Behaviour(own_codes="ignore"))
    first.add_voucher("ADDED", balance=7)
    first.behaviour.own_codes = "refuse"
    first.faults.add(Fault(mode="html"))
    first.clock.advance(500)

    first.reset()

    assert first.behaviour.own_codes == "ignore"
    assert first.faults.active() == []
    assert first.clock.offset < 1
    first.close()
    second = Sandbox(database=path)
    assert "ADDED" not in [one.number for one in second.vouchers()]
    assert {entry.event for entry in second.ledger()} == {"issue"}
    second.close()


def test_an_unseeded_sandbox_is_empty():
    sandbox = Sandbox(seeded=False)

    assert sandbox.vouchers() == []
    assert sandbox.products() == []
    assert sandbox.ledger() == []

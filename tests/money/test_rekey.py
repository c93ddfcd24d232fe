"""A change of keys: killed at every write, and beside a customer with the old settings."""

import pytest

from .acts import FIRST, SECOND
from .key_acts import NEW_KEYS, OLD_KEYS
from .nursery import Nursery


class Keys:
    """A shop whose processes have one or the other keys."""

    def __init__(self, nursery: Nursery, url: str) -> None:
        self.nursery, self.url = nursery, url

    def order(self, keys, do, **values):
        order = {"name": "with_keys", "base_url": self.url}
        return self.nursery.order(**order, settings_of_keys=keys, do=do, **values)

    def run(self, *orders):
        return self.nursery.race(
            [
                {
                    "name": "with_keys",
                    "base_url": self.url,
                    "settings_of_keys": keys,
                    "do": do,
                    **values,
                }
                for keys, do, values in orders
            ]
        )

    def begin(self, vouchers):
        self.nursery.order("forget_keys")
        self.order(OLD_KEYS, "scene", vouchers=vouchers, others=["order-2", "order-3"])
        self.order(OLD_KEYS, "look_up", number=FIRST)


@pytest.fixture
def keys(nursery, smart_gift):
    yield Keys(nursery, smart_gift.url)
    # The other stories of this database have keys of their own.
    nursery.order("forget_keys")


TWO = ((FIRST, "30.00"), (SECOND, None))


def test_a_change_of_keys_that_is_killed_is_begun_again(keys, smart_gift):
    keys.begin(TWO)
    writes = keys.order(NEW_KEYS, "count_writes")
    assert writes > 8
    for dies_in in range(1, writes + 1):
        smart_gift.sandbox.reset()
        keys.begin(TWO)
        assert keys.order(NEW_KEYS, "rekey", dies_in=dies_in) is None, "it survived"
        # Whichever key is in force, it is that of every row.
        now = keys.order(NEW_KEYS, "keyed")
        ours = NEW_KEYS if now["is_ours"] else OLD_KEYS
        both = {**ours, "ENCRYPTION_KEYS": NEW_KEYS["ENCRYPTION_KEYS"]}
        assert keys.order(both, "keyed")["wrong"] == 0, dies_in

        assert keys.order(NEW_KEYS, "rekey") == ""

        said = keys.order({**NEW_KEYS, "ENCRYPTION_KEYS": _new_alone()}, "keyed")
        assert said["is_ours"], dies_in
        assert (said["wrong"], said["left"]) == (0, 0), dies_in
        assert sorted(said["live"]) == sorted([FIRST, SECOND])
        assert said["looked_up"] == 1


def _new_alone():
    return NEW_KEYS["ENCRYPTION_KEYS"][:1]


def add(reference):
    return {"verb": "add_voucher", "reference": reference, "voucher_no": FIRST}


def test_a_voucher_is_live_once_whoever_has_which_key(keys, smart_gift):
    """One adds it with the old settings while they are changed, then one with the new."""
    answers = set()
    for _attempt in range(4):
        smart_gift.sandbox.reset()
        keys.begin(((SECOND, None),))
        [first, failure] = keys.run(
            (OLD_KEYS, "race", add("order-2")), (NEW_KEYS, "rekey", {})
        )
        assert failure == ""

        second = keys.order(NEW_KEYS, "race", **add("order-3"))

        said = keys.order(NEW_KEYS, "keyed")
        assert said["live"].count(FIRST) == 1
        assert (said["wrong"], said["left"]) == (0, 0)
        answers.add((first, second))
    # Either it was taken before the change, or refused after it.
    assert answers <= {
        ("open", "voucher_held"),
        ("smartgift_unavailable", "open"),
    }


def test_without_asking_whose_key_it_is_a_voucher_is_live_twice(keys, smart_gift):
    keys.begin(())
    keys.order(OLD_KEYS, "unguarded", **add("order-2"))
    smart_gift.sandbox.release_by_till(FIRST)

    keys.order(NEW_KEYS, "unguarded", **add("order-3"))

    assert keys.order(NEW_KEYS, "keyed")["live"].count(FIRST) == 2

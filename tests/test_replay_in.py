"""``smartgift_replay``: which messages, what came of them, and the exit status."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.inbox import SECRET, Shop, message
from wagtail_smartgift import payments
from wagtail_smartgift.models import InboxMessage


@pytest.fixture
def shop(transactional_db, configure, sandbox):
    configure(WEBHOOK_SECRETS=[SECRET])
    return Shop()


@pytest.fixture
def failed(shop):
    """Two that will work now, of two types, and one that never will."""
    shop.tell("order.confirmed", {"reference": "a"}, webhook_id="msg-1")
    shop.tell("order.cancelled", {"reference": "b"}, webhook_id="msg-2")
    shop.tell("order.cancelled", {"reference": "nobodys"}, webhook_id="msg-3")
    for reference in "ab":
        payments.open_session(reference=reference, amount_due="0.00")


def replay(*args):
    """Return what was printed, what went wrong, and whether it was said to have."""
    out, err = StringIO(), StringIO()
    try:
        call_command("smartgift_replay", *args, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", True
    return out.getvalue(), err.getvalue(), False


def statuses():
    return [message(f"msg-{number}").status for number in (1, 2, 3)]


FAILED, DONE = "failed", "processed"


def test_all_that_failed(failed):
    out, err, went_wrong = replay("in")

    assert statuses() == [DONE, DONE, FAILED]
    assert "order.confirmed msg-1: processed" in out
    assert "order.cancelled msg-3: failed (not_found)" in err
    assert "Not done: 1." in err
    assert went_wrong


def test_one_by_its_id(failed):
    out, err, went_wrong = replay("in", "--id", "msg-2")

    assert statuses() == [FAILED, DONE, FAILED]
    assert (err, went_wrong) == ("", False)
    assert "msg-2: processed" in out


def test_an_id_that_is_not_there(failed):
    _out, err, went_wrong = replay("in", "--id", "msg-1", "--id", "msg-9")

    assert statuses() == [DONE, FAILED, FAILED]
    assert "No failed message has the id 'msg-9'." in err
    assert went_wrong


def test_an_id_that_is_done_is_left_alone(failed):
    replay("in", "--id", "msg-1")

    _out, err, went_wrong = replay("in", "--id", "msg-1")

    assert went_wrong
    assert "'msg-1'" in err


def test_those_of_a_type(failed):
    replay("in", "--type", "order.confirmed")

    assert statuses() == [DONE, FAILED, FAILED]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("1:00:00", [FAILED, FAILED, FAILED]),
        ("3:00:00", [FAILED, DONE, FAILED]),
        ("1 00:00:00", [FAILED, DONE, FAILED]),
        ("2020-01-01", [FAILED, DONE, FAILED]),
        ("2020-01-01T10:00", [FAILED, DONE, FAILED]),
        ("2020-01-01T10:00:00Z", [FAILED, DONE, FAILED]),
        ("2099-01-01", [FAILED, FAILED, FAILED]),
    ],
)
def test_those_since(failed, since, expected):
    InboxMessage.objects.update(received_at=timezone.now() - timedelta(hours=2))

    replay("in", "--since", since)

    assert statuses() == expected


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-02-30T99:00", "x"])
def test_a_time_that_is_none(failed, since):
    _out, err, went_wrong = replay("in", "--since", since)

    assert went_wrong
    assert "neither a day" in err
    assert statuses() == [FAILED, FAILED, FAILED]


def test_a_rehearsal_replays_nothing(failed):
    out, _err, went_wrong = replay("in", "--dry-run")

    assert not went_wrong
    assert out.splitlines() == [
        "order.confirmed msg-1: would be replayed",
        "order.cancelled msg-2: would be replayed",
        "order.cancelled msg-3: would be replayed",
    ]
    assert statuses() == [FAILED, FAILED, FAILED]


def test_without_a_way_all_that_failed_is_replayed(failed):
    out, err, went_wrong = replay()

    assert statuses() == [DONE, DONE, FAILED]
    # The other way is gone as well, though this one failed.
    assert "There is nothing to send again." in out
    assert "Not done: 1." in err
    assert went_wrong


def test_an_old_confirmation_is_replayed_by_its_id_alone(failed):
    InboxMessage.objects.update(received_at=timezone.now() - timedelta(hours=2))

    for arguments in ((), ("in",), ("in", "--type", "order.confirmed")):
        _out, err, _went_wrong = replay(*arguments)
        assert statuses()[0] == FAILED
        assert "Left alone: 1 order.confirmed" in err

    _out, err, went_wrong = replay("in", "--id", "msg-1")
    assert statuses()[0] == DONE
    assert (err, went_wrong) == ("", False)


def test_nothing_to_replay(shop):
    assert replay("in") == ("There is no failed message.\n", "", False)


def test_there_is_no_other_way(shop):
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("smartgift_replay", "sideways")


def test_the_help_says_what_it_does(capsys):
    with pytest.raises(SystemExit):
        call_command("smartgift_replay", "in", "--help")

    said = capsys.readouterr().out
    for word in (
        "--id",
        "--type",
        "--since",
        "--dry-run",
        "not done twice",
    ):
        assert word in said

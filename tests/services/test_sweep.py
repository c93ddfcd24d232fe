"""A pass of the sweep as a whole: what breaks off in it keeps nothing else waiting."""

import logging
from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from tests.services.test_attention import STAFF, needs_a_person
from wagtail_smartgift import payments
from wagtail_smartgift.management.commands import smartgift_reconcile as command
from wagtail_smartgift.models import (
    Heartbeat,
    OutboxEvent,
    PaymentSession,
    Redemption,
)
from wagtail_smartgift.services import reconciliation


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"

#: Where each part of a pass begins its work.
PARTS = {
    "lapse": "holds.lapse",
    "undo_stranded": "stranded.undo",
    "advance": "progress.advance",
    "sell": "sales.advance_due",
    "read_messages": "inbox.process_due",
    "release_abandoned": "holding.let_go",
    "send_events": "outbox.dispatch_due",
    "count": "replaying.count_replayable",
    "forget_answers": "answers.prune",
    "forget_counters": "counters.prune",
    "forget_messages": "inbox.prune",
    "forget_events": "delivery_rounds.prune",
    "deliver": "delivery_rounds.deliver_due",
    "read_catalogues": "sync_runs.work_on_due",
    "tell_staff": "attention.tell_staff",
}
#: Parts that go through rows one by one: a fault is the row's.
ROW_BY_ROW = {"lapse", "advance", "release_abandoned"}
AFTER_THE_BEAT = {
    "count",
    *("forget_answers", "forget_counters", "forget_messages", "forget_events"),
    *("deliver", "read_catalogues", "tell_staff"),
}


def fail(*_arguments, **_options):
    raise RuntimeError("a fault of our own")


def break_off(monkeypatch, part, failure=fail):
    module, _dot, name = PARTS[part].partition(".")
    monkeypatch.setattr(getattr(reconciliation, module), name, failure)


def test_each_part_is_known_here():
    names = [reconciliation._name(part) for part in reconciliation._PARTS]
    names.remove("beat")
    assert names == list(PARTS)


@pytest.fixture
def busy(db, sandbox, configure, receiver):
    """Work for each part that can be seen to be done."""
    configure(ATTENTION_EMAILS=STAFF, WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    # A payment to be settled.
    payments.open_session(reference="confirming", amount_due="20.00")
    PaymentSession.objects.update(status="confirming", confirm_began_at=timezone.now())
    # A customer who has gone.
    payments.open_session(reference="left", amount_due="20.00")
    payments.add_voucher(reference="left", voucher_no=HUNDRED)
    PaymentSession.objects.filter(reference="left").update(
        last_active_at=timezone.now() - timedelta(hours=1)
    )
    # A hold that is over.
    payments.open_session(reference="over", amount_due="20.00")
    payments.add_voucher(reference="over", voucher_no=FIFTY)
    Redemption.objects.filter(session__reference="over").update(
        held_until=timezone.now() - timedelta(seconds=1)
    )
    # An event whose receiver raised, and mail.
    needs_a_person("order-1")
    OutboxEvent.objects.update(dispatched_at=None, next_attempt_at=timezone.now())
    return receiver


def done(receiver):
    """Return what was done of all that was to be done."""
    found = set()
    sessions = dict(PaymentSession.objects.values_list("reference", "status"))
    redemptions = dict(Redemption.objects.values_list("session__reference", "status"))
    if sessions["confirming"] != "confirming":
        found.add("advance")
    if redemptions["left"] != "held":
        found.add("release_abandoned")
    if redemptions["over"] == "lapsed":
        found.add("lapse")
    if not OutboxEvent.objects.filter(dispatched_at=None).exists():
        found.add("send_events")
    if receiver.messages:
        found.add("deliver")
    if mail.outbox:
        found.add("tell_staff")
    return found


ALL = {"advance", "release_abandoned", "lapse", "send_events", "deliver", "tell_staff"}


def test_nothing_breaks_off(busy):
    report = reconciliation.reconcile()

    assert (report.faults, report.broken_off) == (0, 0)
    assert done(busy) == ALL


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_breaks_off_keeps_no_other_from_its_work(
    busy, part, monkeypatch, caplog
):
    break_off(monkeypatch, part)

    with caplog.at_level(logging.ERROR):
        report = reconciliation.reconcile()

    assert done(busy) == ALL - {part}
    assert "a fault of our own" in caplog.text
    if part in ROW_BY_ROW:
        assert (report.faults, report.broken_off) == (1, 0)
    else:
        assert (report.faults, report.broken_off) == (0, 1)
        assert f"The part {part} of the sweep broke off" in caplog.text
    # A pass that has not looked after all the money is none to the doctor.
    beats = part in ROW_BY_ROW | AFTER_THE_BEAT
    assert Heartbeat.objects.exists() is beats


def test_one_part_without_its_table_is_not_a_database_that_is_away(busy, monkeypatch):
    def fail(**_options):
        raise OperationalError("no such table")

    break_off(monkeypatch, "forget_answers", fail)

    assert reconciliation.reconcile().broken_off == 1
    assert done(busy) == ALL


def test_a_database_that_is_away_ends_the_pass(busy, monkeypatch):
    def fail(*_arguments, **_options):
        raise OperationalError("gone")

    break_off(monkeypatch, "sell", fail)
    monkeypatch.setattr(reconciliation, "_require_database", fail)

    with pytest.raises(OperationalError):
        reconciliation.reconcile()
    assert "deliver" not in done(busy)


def test_a_part_that_breaks_off_is_exit_status_1(busy, monkeypatch):
    break_off(monkeypatch, "read_messages")
    out = StringIO()

    with pytest.raises(CommandError, match="Parts of the pass that broke off: 1"):
        call_command("smartgift_reconcile", stdout=out)

    assert "broken_off: 1" in out.getvalue()
    assert "settled: 1" in out.getvalue()


# -- --watch ------------------------------------------------------------------


def watch(monkeypatch, outcomes):
    """Run passes with these outcomes; return the pauses after them, and what was said."""
    outcomes, pauses = list(outcomes), []

    def reconcile():
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return reconciliation.Report(settled=1)

    monkeypatch.setattr(command.reconciliation, "reconcile", reconcile)
    monkeypatch.setattr(command.time, "sleep", pauses.append)
    out, err = StringIO(), StringIO()
    call_command("smartgift_reconcile", "--watch", "10", stdout=out, stderr=err)
    return [round(pause) for pause in pauses], out.getvalue(), err.getvalue()


@pytest.mark.django_db(transaction=True)
def test_watching_goes_on_whatever_a_pass_raises(monkeypatch, caplog):
    pauses, out, err = watch(
        monkeypatch,
        [
            None,
            OperationalError("gone"),
            RuntimeError("GOOD-0100-0001"),
            ValueError(),
            ValueError(),
            None,
            RuntimeError(),
            KeyboardInterrupt(),
        ],
    )

    # Less often while it fails, and at least once a minute.
    assert pauses == [10, 20, 40, 60, 60, 10, 20]
    assert out.splitlines() == ["settled: 1", "settled: 1", "Stopped."]
    assert "The database could not be used: gone" in err
    assert "The pass failed: RuntimeError." in err
    assert "GOOD" not in err
    assert "A pass of the sweep failed" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_watching_ends_when_it_is_told_to(monkeypatch):
    with pytest.raises(SystemExit):
        watch(monkeypatch, [None, SystemExit(3)])


def test_a_slow_rhythm_is_not_made_quicker_by_failures():
    assert command.pause_after(0, 300) == 300
    assert command.pause_after(9, 300) == 300
    assert command.pause_after(1000, 0.01) == pytest.approx(10.24)

"""What the processes of the nursery do: scenes, verbs that may die, sweeps, books."""

import copy
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

from django.core.management import call_command
from django.db import connection
from django.db.models import F

from wagtail_smartgift import ledger, payments, sales
from wagtail_smartgift.choices import SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import SmartGiftPluginError
from wagtail_smartgift.models import (
    InboxMessage,
    PaymentSession,
    Redemption,
    VoucherOrder,
)
from wagtail_smartgift.services import (
    catalogue,
    claims,
    inbox,
    journal,
    nudges,
    reconciliation,
    replaying,
    sales_journal,
    sessions,
)
from wagtail_smartgift.services.payments import turn

from . import desk_acts, key_acts, webhook_acts
from .world import (
    MOST_PASSES,
    World,
    compare_rest,
    describe_rows,
    forget_everything,
    our_books,
    seconds_until_due,
)


#: This process's clock, to be moved; set by whoever starts it.
TIME: Any = None
#: Seconds that a racer waits before each step, with our locks and without: to show
#: the damage, both have to be slower than a loaded machine makes one of them.
MOMENT, LONG_MOMENT = 0.05, 0.4
REF = "order-1"
FIRST, SECOND = "GOOD-0100-0001", "GOOD-0050-0001"
ORDER = {
    "items": [{"product": 37, "price": "50.00"}, {"product": 37, "price": "25.00"}],
    "customer": {
        "first_name": "John",
        "last_name": "Smith",
        "email": "john@example.org",
        "address1": "1 Mill Lane",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": "1", "price": "0.00"},
}


class Mortal(World):
    """A process that kills itself, for good, at a step."""

    def __init__(self, dies_in: int | None) -> None:
        self.dies_in = dies_in
        self.dead = False
        self.steps: list[str] = []
        self._undo: list[Callable[[], None]] = []
        self._wire = {}

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.dies_in:
            os.kill(os.getpid(), signal.SIGKILL)


def create_tables() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)


def scene(
    due: str = "80.00", vouchers: Any = (), confirmed: bool = False, others: Any = ()
) -> None:
    """Open a session with vouchers in it, and perhaps confirm it; open others."""
    forget_everything()
    for reference in (REF, *others):
        payments.open_session(reference=reference, amount_due=due)
    for number, amount in vouchers:
        payments.add_voucher(reference=REF, voucher_no=number, amount=amount)
    if confirmed:
        assert payments.confirm(reference=REF).status == "confirmed"


def shelves() -> None:
    """Know what is sold."""
    forget_everything()
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)


def first_redemption() -> str:
    return str(Redemption.objects.values_list("pk", flat=True).first())


def act(verb: str, dies_in: int | None = None, **values: Any) -> list[str]:
    """Run a verb, and return the steps that it took; or die at one of them."""
    turn.WAIT_FOR_OTHERS = 0
    mortal = Mortal(dies_in)
    mortal.watch()
    try:
        if verb == "place_order":
            sales.place_order(reference=REF, **ORDER)
        else:
            getattr(payments, verb)(reference=REF, **values)
    except SmartGiftPluginError:
        pass  # A refusal is an answer too.
    return mortal.steps


def race(verb: str, locked: bool = True, claimed: bool = True, **values: Any) -> str:
    """Run a verb at the same moment as others; returns its status or its refusal.

    Each step waits a moment before it is written, so that everybody has read before
    anybody writes. ``locked`` False takes our locks out, to show what they prevent;
    ``claimed`` False those of messages alone. ``once`` is a status of the payment that
    this one waits for.
    """
    _dawdle(locked=locked)
    if not claimed:
        _disclaim()
    _await_status(values.pop("once", None))
    try:
        if verb == "sweep":
            return f"faults: {reconciliation.reconcile().faults}"
        if verb == "place_order":
            return sales.place_order(reference=REF, **ORDER).status
        if verb == "deliver":
            return "known" if _receive(**values).repeated else "new"
        if verb == "process":
            return str(inbox.process(InboxMessage.objects.get().pk))
        reference = values.pop("reference", REF)
        state = getattr(payments, verb)(reference=reference, **values)
    except SmartGiftPluginError as error:
        return error.code
    return str(state.status)


def _await_status(status: str | None) -> None:
    """Wait until the others have come so far, for as long as that can take."""
    give_up = time.monotonic() + 20
    while status and time.monotonic() < give_up:
        if PaymentSession.objects.filter(reference=REF, status=status).exists():
            return
        time.sleep(0.01)


def _dawdle(*, locked: bool) -> None:
    moment = MOMENT if locked else LONG_MOMENT
    lock, record, update = sessions.lock, journal.record, sales_journal.update

    def slow_lock(session_id: Any, *, expected: Any, **changes: Any) -> Any:
        time.sleep(moment)
        wanted = expected if locked else tuple(SessionStatus)
        return lock(session_id, expected=wanted, **changes)

    def slow_record(row: Any, *args: Any, **values: Any) -> Any:
        time.sleep(moment)
        if not locked:
            now = _as_it_is(Redemption, row.pk)
            row.version, row.status = now.version, now.status
            values.pop("expected", None)
        return record(row, *args, **values)

    def slow_update(order: Any, *conditions: Any, **changes: Any) -> bool:
        time.sleep(moment)
        if not locked:
            now = _as_it_is(VoucherOrder, order.pk)
            order.version, order.status, conditions = now.version, now.status, ()
        return update(order, *conditions, **changes)

    sessions.lock, journal.record = slow_lock, slow_record
    sales_journal.update = slow_update
    if not locked:
        # Rows of money may be ended by anybody then.
        journal._OWNS_MONEY = frozenset()
        claims._take = _prolong
        claims.Claim.renew = _prolong  # type: ignore[assignment,method-assign]


def _prolong(claim: claims.Claim, **_expected: Any) -> bool:
    """Let anybody have a claim: as of now, since no call leaves under an old one."""
    claim.renewed = claims.Moment.now()
    return True


def _as_it_is(model: Any, pk: Any) -> Any:
    """Read a row within a transaction that is about to write it.

    SQLite lets nobody write who has read before somebody else wrote: the write first.
    """
    model.objects.filter(pk=pk).update(version=F("version"))
    return model.objects.get(pk=pk)


def _disclaim() -> None:
    """Let everybody work on a message who wants to."""

    def claim(message_id: int) -> inbox.Claim:
        InboxMessage.objects.filter(pk=message_id).update(status="processing")
        return inbox.Claim(message_id=message_id, worker="anybody")

    def rows(self: inbox.Claim) -> Any:
        return InboxMessage.objects.filter(pk=self.message_id)

    inbox._claim, inbox.Claim.rows = claim, rows  # type: ignore[method-assign]


def _receive(event: str, data: Any, webhook_id: str = "msg-1") -> inbox.Receipt:
    document = {"type": event, "timestamp": "2026-03-01T14:32:00Z", "data": data}
    return inbox.receive(
        inbox.Delivery(
            webhook_id=webhook_id,
            type=event,
            body=json.dumps(document).encode(),
            data=data,
            reference=data["reference"],
        )
    )


def deliver(dies_in: int | None = None, **values: Any) -> list[str]:
    """Take a message in as its request does, and return the steps; or die at one."""
    turn.WAIT_FOR_OTHERS = 0
    mortal = Mortal(dies_in)
    mortal.watch()
    _receive(**values)
    return mortal.steps


def store(**values: Any) -> None:
    """Take a message in and leave it to a queue whose worker never comes."""
    nudges.nudge = lambda *args: None
    _receive(**values)


def replay(dies_in: int | None = None) -> list[str]:
    """Replay the message as the command does, and return the steps; or die at one."""
    turn.WAIT_FOR_OTHERS = 0
    mortal = Mortal(dies_in)
    mortal.watch()
    replaying.replay_now(InboxMessage.objects.get())
    return mortal.steps


def dying(act: str, values: dict[str, Any], dies_in: int | None = None) -> list[str]:
    """Have somebody at the desk do something, and return the steps; or die at one."""
    turn.WAIT_FOR_OTHERS = 0
    mortal = Mortal(dies_in)
    mortal.watch()
    getattr(desk_acts, act)(**values)
    return mortal.steps


def slow_settle(**values: Any) -> str:
    """Settle a case at the same moment as others."""
    _dawdle(locked=True)
    return desk_acts.settle(**values)


def slow_refund(**values: Any) -> str:
    """Refund at the desk at the same moment as others."""
    _dawdle(locked=True)
    return desk_acts.desk_refund(**values)


def rename(reference: str, to: str) -> None:
    """Have the payment be the one that a message has named too early."""
    PaymentSession.objects.filter(reference=reference).update(reference=to)


def drop_the_message_id() -> None:
    """Take away what keeps a message from being stored twice."""
    _make_message_ids(unique=False)


def make_the_message_id() -> None:
    forget_everything()
    _make_message_ids(unique=True)


def _make_message_ids(*, unique: bool) -> None:
    field = InboxMessage._meta.get_field("webhook_id")
    other = copy.copy(field)
    other._unique = False  # type: ignore[union-attr]
    before, after = (other, field) if unique else (field, other)
    with connection.schema_editor() as editor:
        editor.alter_field(InboxMessage, before, after)  # type: ignore[arg-type]


def drop_the_index() -> None:
    """Take away what keeps a voucher from being live twice."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX smartgift_redemption_one_live")


def make_the_index() -> None:
    forget_everything()
    constraint = next(
        one
        for one in Redemption._meta.constraints
        if one.name == "smartgift_redemption_one_live"
    )
    with connection.schema_editor() as editor:
        editor.add_constraint(Redemption, constraint)


def come_to_rest(url: str) -> dict[str, Any]:
    """Let time pass and sweep until nothing is left to do, then read our books."""
    for _made in range(MOST_PASSES):
        report = reconciliation.reconcile()
        assert not report.faults, "the sweep stumbled"
        wait = seconds_until_due()
        if wait is None:
            break
        _pass_time(url, wait)
    else:
        raise AssertionError(f"Never at rest: {describe_rows()}")
    # Whatever is still on its way arrives now, and must change nothing.
    _pass_time(url, 600)
    return books()


def _pass_time(url: str, seconds: float) -> None:
    """Let time pass here and, over its door for tests, at the sandbox."""
    TIME.shift(seconds)
    request = Request(
        f"{url}/_sandbox/clock",
        data=json.dumps({"advance": seconds}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as answer:
        answer.read()


def dying_sweep(dies_in: int) -> None:
    mortal = Mortal(dies_in)
    mortal.watch()
    reconciliation.reconcile()


def books() -> dict[str, Any]:
    """Return what our rows say, once they hold together."""
    rows = describe_rows()
    compare_rest()
    sessions = PaymentSession.objects.all()
    return {
        "ours": our_books(),
        "rows": rows,
        "sessions": {one.reference: one.status for one in sessions},
        "refunded": {
            one.reference: ledger.describe(one).amount_refunded for one in sessions
        },
        "messages": {one.webhook_id: one.status for one in InboxMessage.objects.all()},
        "orders": {one.reference: one.status for one in VoucherOrder.objects.all()},
        "attention": [
            *Redemption.objects.filter(status="needs_attention").values_list(
                "attention_code", flat=True
            ),
            *VoucherOrder.objects.filter(status="needs_attention").values_list(
                "attention_code", flat=True
            ),
        ],
    }


ACTS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        create_tables,
        scene,
        shelves,
        first_redemption,
        act,
        deliver,
        store,
        replay,
        rename,
        drop_the_message_id,
        make_the_message_id,
        race,
        drop_the_index,
        make_the_index,
        come_to_rest,
        dying_sweep,
        dying,
        slow_settle,
        slow_refund,
        desk_acts.case_without_ids,
        desk_acts.case_seen,
        desk_acts.settle,
        desk_acts.desk_refund,
        desk_acts.make_staff,
        desk_acts.settled_by,
        desk_acts.desk_actions,
        key_acts.with_keys,
        key_acts.rekey,
        key_acts.count_writes,
        key_acts.unguarded,
        key_acts.keyed,
        key_acts.look_up,
        key_acts.forget_keys,
        webhook_acts.cause_webhooks,
        webhook_acts.send_webhooks,
        webhook_acts.webhook_rows,
    )
}

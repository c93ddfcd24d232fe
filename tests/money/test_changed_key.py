"""The shop's key changes: what the earlier one made goes on, if the settings say so.

Both keys open the same company, as two applications of its dashboard do. Without a word
in the settings nobody can tell that from a copy of the database on another host, on
which nothing may happen.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.core.management import CommandError, call_command
from django.db.models import Model
from django.utils import timezone

from tests import inbox
from tests.receivers import Receiver
from wagtail_smartgift import (
    budget,
    capabilities,
    health,
    payments,
    sales,
    voucher_field,
)
from wagtail_smartgift.checks.rows import check_rows
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    CallBudget,
    CapabilityRecord,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    Redemption,
    StaffNotice,
    VoucherOrder,
    WebhookDelivery,
)
from wagtail_smartgift.models.base import AccountBound
from wagtail_smartgift.sandbox import Behaviour, Fault, Sandbox, SandboxServer
from wagtail_smartgift.services import (
    attention,
    case_looking,
    cases,
    catalogue,
    delivering,
    gateway,
    reconciliation,
    replaying,
)
from wagtail_smartgift.services import inbox as messages
from wagtail_smartgift.services import sales as selling
from wagtail_smartgift.services.worker import ForeignRow, account_of
from wagtail_smartgift.views.desk.detail import foreign_notice

from .world import World, compare_books, compare_rest


REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "wagtail_smartgift"
OLD, NEW = "sk_sandbox", "sk_sandbox_new"
FIFTY, HUNDRED = "GOOD-0050-0001", "GOOD-0100-0001"
REF = "order-1"


@pytest.fixture
def sandbox(configure: Any) -> Iterator[Sandbox]:
    """A company that has two keys."""
    sandbox = Sandbox(api_keys=[OLD, NEW], behaviour=Behaviour(rate_limit=0))
    with SandboxServer(sandbox) as server:
        account = {"API_KEY": OLD, "BASE_URL": server.url, "SITE_ID": "1"}
        configure(ACCOUNTS={"default": account}, RATE_LIMIT=0)
        yield server.sandbox
        gateway.close_all()


@pytest.fixture
def change_key(configure: Any, settings: Any) -> Callable[..., Account]:
    """Return a function that changes the key, and says or not whose the old one was."""

    def change(*, said: bool, **more: Any) -> Account:
        before = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
        after = {**before, "API_KEY": NEW, **more}
        if said:
            after["EARLIER_KEY_HASHES"] = [get_conf().account("default").key_hash]
        configure(ACCOUNTS={"default": after})
        return get_conf().account("default")

    return change


@pytest.fixture
def paid(world: World, session: Any, books: Any) -> None:
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    assert payments.confirm(reference=REF).status == "confirmed"
    world.until_quiet()
    assert books(FIFTY) == 50


def calls(sandbox: Sandbox) -> int:
    return len(sandbox.log())


def rows() -> list[Any]:
    models: tuple[type[Model], ...] = (PaymentSession, VoucherOrder, InboxMessage)
    return [
        list(model._default_manager.order_by("pk").values())
        for model in (*models, OutboxEvent, WebhookDelivery, StaffNotice)
    ]


# -- giving back -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "values", "left"),
    [
        (payments.refund, {}, 0),
        (payments.refund, {"amount": "20.00"}, 30),
        (payments.cancel, {}, 0),
    ],
)
def test_money_comes_back_after_a_change_of_key(
    world, paid, sandbox, books, change_key, verb, values, left
):
    change_key(said=True)

    verb(reference=REF, **values)
    world.until_quiet()

    assert books(FIFTY) == left
    assert sandbox.voucher(FIFTY).balance == 50 - left
    compare_books(sandbox)
    compare_rest()


@pytest.mark.parametrize("verb", [payments.refund, payments.cancel])
@pytest.mark.parametrize(
    "copy",
    [
        {"said": False},
        # Whatever the settings say of keys: at another address it is another company.
        {"said": True, "BASE_URL": "http://127.0.0.1:9"},
    ],
)
def test_a_copy_of_the_database_gives_nothing_back(
    world, paid, sandbox, books, change_key, verb, copy
):
    change_key(**copy)
    before, made = rows(), calls(sandbox)

    with pytest.raises(PaymentError) as refused:
        verb(reference=REF)
    reconciliation.reconcile()

    assert refused.value.code == "smartgift_unavailable"
    assert (rows(), calls(sandbox)) == (before, made)
    assert books(FIFTY) == 50


def test_what_was_refused_meanwhile_is_done_once_it_is_said(
    world, paid, books, configure, change_key, settings
):
    old = get_conf().account("default").key_hash
    change_key(said=False)
    with pytest.raises(PaymentError):
        payments.refund(reference=REF)

    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "EARLIER_KEY_HASHES": [old]}})
    payments.refund(reference=REF)

    assert books(FIFTY) == 0


# -- what is not finished --------------------------------------------------------------


@pytest.fixture
def in_doubt(session: Any, sandbox: Sandbox) -> None:
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sandbox.faults.add(Fault("redeem", "lost_after"))
    assert payments.confirm(reference=REF).status == "confirming"


def test_the_sweep_finishes_what_the_earlier_key_began(
    world, in_doubt, sandbox, books, change_key
):
    change_key(said=True)

    world.until_quiet()

    assert payments.get_session(reference=REF).status == "confirmed"
    assert books(FIFTY) == 50
    compare_books(sandbox)
    compare_rest()


def test_the_sweep_of_a_copy_finishes_nothing(world, in_doubt, sandbox, change_key):
    change_key(said=False)
    made = calls(sandbox)

    world.pass_time(400)
    report = reconciliation.reconcile()

    assert report.foreign
    assert calls(sandbox) == made
    assert payments.get_session(reference=REF).status == "confirming"


def test_an_open_payment_goes_on(world, session, sandbox, books, change_key):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    change_key(said=True)

    payments.add_voucher(reference=REF, voucher_no=HUNDRED)

    assert payments.confirm(reference=REF).status == "confirmed"
    assert (books(FIFTY), books(HUNDRED)) == (50, 30)
    compare_books(sandbox)


def test_what_is_new_is_the_present_keys(world, session, configure, change_key):
    configure(RATE_LIMIT=60)
    old = get_conf().account("default")
    budget.gate(old, patience=0)("check", 0)
    new = change_key(said=True)

    payments.open_session(reference="order-2", amount_due="10.00")
    budget.gate(new, patience=0)("check", 0)

    [first, second] = PaymentSession.objects.order_by("created_at")
    assert first.account_key_hash == old.key_hash
    assert second.account_key_hash == new.key_hash != old.key_hash
    # Each key has its own quota at Smart Gift.
    assert CallBudget.objects.count() == 2


# -- what the shop is told -------------------------------------------------------------


def test_the_checks_name_the_hash_of_what_is_stranded(
    world, paid, session, sandbox, change_key
):
    payments.open_session(reference="order-2", amount_due="80.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)
    old = get_conf().account("default")
    change_key(said=False)

    found = {str(one.id)[-4:]: one for one in check_rows(databases=["default"])}

    assert found.keys() == {"W009", "W015"}
    for message in found.values():
        assert (
            f"'default' ({old.base_url}), whose hash is {old.key_hash}" in message.msg
        )
        assert "can be neither cancelled nor refunded" in message.msg
        assert "On a copy of another database this is as it should be." in message.hint
        assert (
            "of the same company, put its hash into EARLIER_KEY_HASHES" in message.hint
        )
    assert found["W009"].msg.startswith("1 unfinished payments,")
    assert found["W015"].msg.startswith("1 confirmed payments ")

    change_key(said=False, EARLIER_KEY_HASHES=[old.key_hash])
    assert check_rows(databases=["default"]) == []


def test_no_key_helps_at_another_address(world, in_doubt, paid_too, change_key):
    change_key(said=False, BASE_URL="http://127.0.0.1:9")

    [found] = check_rows(databases=["default"])

    assert str(found.id).endswith("W009")
    assert "at another address of the account 'default'" in found.msg
    assert "EARLIER_KEY_HASHES" not in found.hint


@pytest.fixture
def paid_too(world: World, sandbox: Sandbox) -> None:
    payments.open_session(reference="order-2", amount_due="80.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)
    payments.confirm(reference="order-2")


@pytest.mark.parametrize("verb", [payments.refund, payments.cancel])
def test_what_was_given_back_is_not_spoken_of(world, paid, change_key, verb):
    verb(reference=REF)
    world.until_quiet()
    change_key(said=False)

    assert check_rows(databases=["default"]) == []


def test_an_account_that_is_gone_has_no_other_key(world, paid):
    PaymentSession.objects.update(account="gone")

    assert check_rows(databases=["default"]) == []


def test_the_how_to_gets_the_hash_that_the_rows_carry(db, sandbox):
    page = (REPOSITORY / "docs/how-to/rotate-keys.md").read_text("utf-8")
    [code] = re.findall(r"^ *\$ python manage\.py shell -c '(.*)'$", page, re.MULTILINE)
    out = StringIO()

    with redirect_stdout(out):
        call_command("shell", command=code)

    assert get_conf().account("default").key_hash in out.getvalue().split()


# -- everything that asks whose a row is -----------------------------------------------


@dataclass(frozen=True)
class Made:
    """A row of each kind that is at work, made with the earlier key."""

    sandbox: Sandbox
    receiver: Receiver
    session: PaymentSession
    order: VoucherOrder
    message: InboxMessage
    failed: InboxMessage
    event: OutboxEvent
    delivery: WebhookDelivery
    record: CapabilityRecord


@pytest.fixture
def made(world: World, sandbox: Sandbox, receiver: Receiver, configure: Any) -> Made:
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    payments.open_session(reference=REF, amount_due="80.00")
    payments.add_voucher(reference=REF, voucher_no=HUNDRED)
    configure(
        WEBHOOK_ENDPOINTS=[receiver.as_endpoint()],
        ATTENTION_EMAILS=["staff@example.org"],
    )
    # A case: the till takes the voucher while the answer is lost.
    sandbox.faults.add(Fault("redeem", "lost_before"))
    payments.confirm(reference=REF)
    sandbox.top_up(HUNDRED, "5.00")
    PaymentSession.objects.update(
        status="needs_attention",
        attention_code="balance_moved",
        next_look_at=None,
        claimed_until=None,
    )
    Redemption.objects.update(status="needs_attention", next_look_at=None)
    sandbox.faults.add(Fault("pos-sale", "rate_limited"))
    sales.place_order(reference="sale-1", **inbox.ORDER)
    long_ago = timezone.now() - timedelta(seconds=health.OVERDUE + 1)
    VoucherOrder.objects.update(next_look_at=long_ago)
    waiting, failed = (
        InboxMessage(webhook_id=status, type="order.paid", status=status)
        for status in ("received", "failed")
    )
    for message in (waiting, failed):
        message.bind_to(account)
        message.payload_encrypted = "sealed"
        message.next_attempt_at = long_ago if message is waiting else None
        message.save()
    session = PaymentSession.objects.get()
    event = OutboxEvent(type="session.needs_attention", session=session)
    event.bind_to(account)
    event.dispatched_at = timezone.now()
    event.save()
    StaffNotice.objects.create(event=event)
    [endpoint] = get_conf().webhook_endpoints
    delivery = WebhookDelivery.objects.create(
        event=event, endpoint_digest=endpoint.digest, next_attempt_at=long_ago
    )
    record = CapabilityRecord(check_while_held=True, held_until="aware")
    record.bind_to(account)
    record.save()
    order = VoucherOrder.objects.get()
    return Made(
        sandbox, receiver, session, order, waiting, failed, event, delivery, record
    )


Question = Callable[[Made], bool]
QUESTIONS: dict[str, Question] = {}


def question(ask: Question) -> Question:
    QUESTIONS[ask.__name__] = ask
    return ask


def is_taken(ask: Callable[[], object], *errors: type[Exception]) -> bool:
    try:
        ask()
    except errors:
        return False
    return True


@question
def a_row_of_its_own(made: Made) -> bool:
    rows: list[AccountBound] = [made.session, made.order, made.message, made.event]
    account = get_conf().account("default")
    [answer] = {row.is_bound_to(account) for row in (*rows, made.failed, made.record)}
    assert is_taken(lambda: account_of(made.order), ForeignRow) is answer
    return answer


@question
def rows_in_the_database(made: Made) -> bool:
    [answer] = {
        model._default_manager.filter(model.ours()).exists()
        for model in (PaymentSession, VoucherOrder, InboxMessage, OutboxEvent)
    }
    return answer


@question
def a_verb_of_a_payment(made: Made) -> bool:
    PaymentSession.objects.update(status="open", attention_code="")
    error = refusal_of(lambda: payments.prepare(reference=REF))
    return error != "smartgift_unavailable"


def refusal_of(verb: Callable[[], object]) -> str:
    try:
        verb()
    except PaymentError as error:
        return error.code
    return ""


@question
def the_voucher_field(made: Made) -> bool:
    return voucher_field.pause_of(payments.get_session(reference=REF)) is None


@question
def a_case_of_a_payment(made: Made) -> bool:
    case = made.session.redemptions.get()
    return is_taken(
        lambda: case_looking.read_balance(redemption_id=case.pk, user=AnonymousUser()),
        cases.NotSettled,
    )


@question
def the_sweep_of_orders(made: Made) -> bool:
    report = reconciliation.reconcile()
    placed = VoucherOrder.objects.get().status == "placed"
    assert placed == (len(made.sandbox.sales()) == 1)
    assert bool(report.foreign) is not placed
    return placed


@question
def an_order_again(made: Made) -> bool:
    order = sales.place_order(reference="sale-1", **inbox.ORDER)
    return order.status == "placed"


@question
def overdue_orders(made: Made) -> bool:
    counted = selling.advance_due()
    assert counted.foreign + counted.advanced == 1
    return counted.foreign == 0


@question
def messages_of_the_shop(made: Made) -> bool:
    ours = InboxMessage.objects.filter(messages.ours()).count() == 2
    assert messages.count_foreign() == (0 if ours else 1)
    assert replaying.is_replayable(made.failed) is ours
    return ours


@question
def webhooks(made: Made) -> bool:
    sent = delivering.deliver(made.delivery.pk) is not None
    assert len(made.receiver.messages) == sent
    replayable = is_taken(
        lambda: delivering.check_replayable(made.delivery), delivering.NotReplayable
    )
    assert replayable is sent
    return sent


@question
def sending_webhooks_again(made: Made) -> bool:
    WebhookDelivery.objects.update(status="failed", settled_at=timezone.now())
    out = StringIO()
    call_command("smartgift_replay", "out", stdout=StringIO(), stderr=out)
    ours = "Left alone" not in out.getvalue()
    assert bool(made.receiver.messages) is ours
    return ours


@question
def mails_to_staff(made: Made) -> bool:
    attention.tell_staff()
    return len(mail.outbox) == 1


@question
def what_a_probe_found(made: Made) -> bool:
    account = get_conf().account("default")
    known = capabilities.of(account).check_while_held is True
    assert (capabilities.last_probed(account) is not None) is known
    return known


@question
def the_monitor(made: Made) -> bool:
    ours, elsewhere = health.overdue(), health.overdue_elsewhere()
    assert sorted([ours, elsewhere]) == [0, 2]
    return elsewhere == 0


@question
def the_desk(made: Made) -> bool:
    [answer] = {not foreign_notice(row) for row in (made.session, made.order)}
    return answer


@question
def the_checks(made: Made) -> bool:
    found = {message.id for message in check_rows(databases=["default"])}
    return "wagtail_smartgift.W009" not in found


@question
def the_doctor(made: Made) -> bool:
    out = StringIO()
    # The orders are long overdue, whosever they are.
    with suppress(CommandError):
        call_command("smartgift_doctor", "--offline", stdout=out, no_color=True)
    return "W009" not in out.getvalue()


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("said", [True, False], ids=["said", "a copy"])
def test_whose_a_row_is(made, change_key, ask, said):
    change_key(said=said)

    assert ask(made) is said


def test_one_place_decides_whose_a_row_is():
    """Who compares hashes without it would leave out the earlier keys."""
    naming = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "key_hash" in path.read_text("utf-8") and "migrations" not in path.parts
    }

    assert naming == {
        "conf/reading.py",
        "conf/values.py",
        "models/base.py",
        "checks/rows.py",
        # These write it.
        "services/outbox.py",
        "services/sales.py",
        # The row of the quota is the present key's.
        "budget/store.py",
    }

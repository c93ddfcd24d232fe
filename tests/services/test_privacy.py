"""One customer's data: all of it is found, handed out, and erased; nobody else's is."""

import json
from datetime import timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from wagtail.log_actions import log
from wagtail.models import ModelLogEntry

from tests.inbox import ORDER, SECRET, Shop, message, timeline
from tests.services.test_forgetting import (
    BODY,
    CUSTOMER,
    PERSONAL,
    everything,
    order_row,
    session_row,
)
from wagtail_smartgift import migrations, payments, sales
from wagtail_smartgift.choices import OrderStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    DeskAction,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    PrivacyEvent,
    SessionEmail,
    StoredAnswer,
    VoucherOrder,
    VoucherOrderEvent,
)
from wagtail_smartgift.services import (
    cases,
    catalogue,
    desk,
    erasures,
    forgetting,
    inbox,
    nudges,
    privacy,
    reconciliation,
    replaying,
    vault,
)


pytestmark = pytest.mark.django_db

JOHN = "john@example.org"
OTHER = {**CUSTOMER, "email": "mary@example.org", "first_name": "Mary"}


@pytest.fixture
def shop(sandbox, configure):
    """John and Mary have each bought a voucher and paid an order with another."""
    configure(WEBHOOK_SECRETS=[SECRET])
    catalogue.sync(get_conf().account("default"))
    for reference, customer in (("john-1", CUSTOMER), ("mary-1", OTHER)):
        sales.place_order(reference=reference, **{**BODY, "customer": customer})
        # A payment of the same order, about which the shop attached nothing.
        payments.open_session(reference=reference, amount_due="10.00")
        payments.confirm(reference=reference)
    for reference, metadata in (
        ("john-2", {"contact": {"mail": "John <JOHN@example.org>"}}),
        ("mary-2", {"contact": {"mail": "mary@example.org"}}),
    ):
        payments.open_session(
            reference=reference, amount_due="80.00", metadata=metadata
        )
    payments.add_voucher(reference="john-2", voucher_no="GOOD-0050-0001")
    payments.confirm(reference="john-2")
    return Shop()


def tell_of_an_order_that_fails(shop, email, webhook_id):
    """Have a message about a paid order stored, and refused."""
    customer = {**ORDER["customer"], "email": email}
    items = [{"product": 999_999, "price": "50.00"}]
    data = {**ORDER, "reference": webhook_id, "customer": customer, "items": items}
    shop.tell("order.paid", data, webhook_id=webhook_id)
    inbox.process(message(webhook_id).pk)
    assert message(webhook_id).status == "failed"


# -- finding -------------------------------------------------------------------


@pytest.mark.parametrize("written", [JOHN, " JOHN@Example.org ", "ｊohn@example.org"])
def test_it_is_found_however_it_is_written(shop, written):
    tell_of_an_order_that_fails(shop, "John@example.org", "msg-1")

    found = privacy.find(written)

    assert (found.orders, found.payments, found.messages) == (1, 2, 1)
    assert found.unsettled == 0
    assert found.history == ()


def test_nothing_is_found_of_nobody(shop):
    found = privacy.find("nobody@example.org")

    assert found.is_nothing
    assert privacy.export("nobody@example.org")["orders"] == []


@pytest.mark.parametrize("text", ["", "  ", "john", "john@", "@example.org", "a b@c.d"])
def test_what_is_no_address_is_refused(db, text):
    for act in (privacy.find, privacy.export, privacy.erase):
        with pytest.raises(privacy.NoAddress):
            act(text)
    assert not PrivacyEvent.objects.exists()


def test_finding_goes_by_index(django_assert_max_num_queries):
    """However long the tables are, no more than the customer's rows are read."""
    for number in range(20):
        order_row(f"order-{number}", email_digest="x" * 64)
    order_row("john")
    session_row("john")
    with django_assert_max_num_queries(10):
        privacy.find(JOHN)
    if connection.vendor == "sqlite":
        for rows in (
            VoucherOrder.objects.filter(email_digest="x"),
            SessionEmail.objects.filter(digest="x"),
        ):
            assert "USING INDEX" in rows.explain()


def test_a_message_that_no_key_opens_is_counted(shop, configure):
    tell_of_an_order_that_fails(shop, JOHN, "msg-1")
    configure(ENCRYPTION_KEYS=["another key, long enough to be one of them"])

    found = privacy.find(JOHN)

    assert (found.messages, found.unreadable) == (0, 1)


# -- handing out ---------------------------------------------------------------


def test_all_of_it_is_handed_out_and_nobody_elses(shop, django_user_model):
    tell_of_an_order_that_fails(shop, JOHN, "msg-1")
    tell_of_an_order_that_fails(shop, "mary@example.org", "msg-2")
    user = django_user_model.objects.create_user("miller")

    document = privacy.export(JOHN, user=user)

    text = json.dumps(document, default=str, ensure_ascii=False)
    for word in PERSONAL:
        assert word in text
    assert "mary" not in text.lower()
    [order] = document["orders"]
    assert order["reference"] == "john-1"
    assert order["customer"]["last_name"] == "Smith"
    assert order["items"][0]["to"] == "Rose"
    assert order["items"][0]["price"] == "50.00"
    assert [one["reference"] for one in document["payments"]] == ["john-1", "john-2"]
    assert document["payments"][1]["vouchers"] == [
        {"voucher": "…0001", "status": "redeemed", "amount": "50.00"}
    ]
    [told] = document["messages"]
    assert told["content"]["customer"]["email"] == JOHN
    # A number is as good as money to whoever reads the file.
    number = vault.open_sealed(
        VoucherOrder.objects.get(reference="john-1").items.get().number_encrypted
    )
    assert number not in text
    assert "GOOD-0050-0001" not in text


def test_it_is_written_down_who_asked_and_not_for_whom(shop, django_user_model):
    user = django_user_model.objects.create_user("miller")

    privacy.export(JOHN, user=user)
    privacy.erase(JOHN, actor="root")

    exported, erased = PrivacyEvent.objects.order_by("pk")
    assert (exported.operation, exported.actor) == ("export", "miller")
    assert (erased.operation, erased.actor) == ("erase", "root")
    assert (
        exported.email_fingerprint
        == erased.email_fingerprint
        == erasures.fingerprint("John@example.org")
    )
    assert (erased.orders, erased.payments, erased.messages) == (1, 2, 0)
    assert [one.operation for one in privacy.find(JOHN).history] == ["erase", "export"]
    assert privacy.find("mary@example.org").history == ()
    entry = ModelLogEntry.objects.get(action=privacy.EXPORT_ACTION)
    assert (entry.user, entry.data) == (
        user,
        {"orders": 1, "payments": 2, "messages": 0},
    )
    kept = json.dumps(
        [*PrivacyEvent.objects.values(), *ModelLogEntry.objects.values()], default=str
    )
    assert "john" not in kept.lower()


# -- erasing -------------------------------------------------------------------


def test_an_erasure_leaves_the_books_and_nobody_in_them(shop):
    tell_of_an_order_that_fails(shop, JOHN, "msg-1")
    tell_of_an_order_that_fails(shop, "mary@example.org", "msg-2")
    order = VoucherOrder.objects.get(reference="john-1")

    done = privacy.erase(JOHN)

    assert (done.orders, done.payments, done.messages, done.waiting) == (1, 2, 1, 0)
    assert privacy.find(JOHN).is_nothing
    assert "john@" not in everything().lower()
    order.refresh_from_db()
    assert (order.customer, order.status) == ({}, "placed")
    assert order.items.get().price == 50
    told = payments.get_session(reference="john-2")
    assert (told.amount_redeemed, told.metadata) == (50, {})
    # Mary's is as it was.
    assert VoucherOrder.objects.get(reference="mary-1").customer["first_name"] == "Mary"
    assert payments.get_session(reference="mary-2").metadata
    assert privacy.find("mary@example.org").messages == 1


@pytest.fixture
def written(shop, django_user_model):
    """Staff have written about both, at the voucher desk and in settling a case."""
    user = django_user_model.objects.create_user("miller")
    for reference, name in (("john-2", "Smith"), ("mary-2", "Jones")):
        session = PaymentSession.objects.get(reference=reference)
        DeskAction.objects.create(
            session=session, verb="refund", reason=f"M. {name} rang.", actor="miller"
        )
        data = {"verb": "refund", "reason": f"M. {name} rang."}
        log(instance=session, action=desk.MOVE_ACTION, user=user, data=data)
    order = VoucherOrder.objects.get(reference="john-1")
    data = {"verdict": "sold", "reason": "Mr Smith has it."}
    log(instance=order, action=cases.SETTLE_ACTION, user=user, data=data)
    order.events.create(
        operation="settle", outcome="succeeded", status="placed", note="Smith has it."
    )


def test_what_staff_wrote_is_handed_out(written):
    document = privacy.export(JOHN)

    (said,) = document["payments"][1]["written_by_staff"]
    assert (said["about"], said["text"]) == ("refund", "M. Smith rang.")
    (said,) = document["orders"][0]["written_by_staff"]
    assert (said["about"], said["text"]) == ("settle", "Smith has it.")
    assert "Jones" not in str(document)
    assert "miller" not in str(document)


def test_no_number_of_a_voucher_is_handed_out_whole(shop):
    number = "GOOD-0100-0001"
    payments.open_session(
        reference="john-3",
        amount_due="30.00",
        metadata={"email": JOHN, number: [number], "says": "good 0100 0001?", "no": 7},
    )
    payments.add_voucher(reference="john-3", voucher_no=number)

    document = privacy.export(JOHN)

    metadata = document["payments"][-1]["metadata"]
    assert metadata == {"email": JOHN, "…0001": ["…0001"], "says": "…0001?", "no": 7}
    assert "0100" not in json.dumps(document["payments"])


def test_what_staff_wrote_is_erased_but_for_the_journals(written):
    privacy.erase(JOHN)

    reasons = DeskAction.objects.order_by("session__reference")
    assert list(reasons.values_list("reason", flat=True)) == ["", "M. Jones rang."]
    logged = str(list(ModelLogEntry.objects.values_list("data", flat=True)))
    assert "Smith" not in logged
    assert "M. Jones rang." in logged
    # Who did what, and when, stays.
    assert ModelLogEntry.objects.filter(action=desk.MOVE_ACTION).count() == 2
    assert VoucherOrderEvent.objects.get(operation="settle").note == "Smith has it."


def test_an_emptied_message_says_so_and_is_not_replayed(shop):
    tell_of_an_order_that_fails(shop, JOHN, "msg-1")
    assert reconciliation.reconcile().failed_messages == 1

    privacy.erase(JOHN, actor="root")

    emptied = message("msg-1")
    assert emptied.payload_encrypted == ""
    assert emptied.status == "failed"
    assert timeline("msg-1")[-1] == "erased"
    with pytest.raises(replaying.NotReplayable):
        replaying.replay(emptied)
    # So nobody is asked to.
    assert reconciliation.reconcile().failed_messages == 0
    assert not VoucherOrder.objects.filter(reference="msg-1").exists()


def test_what_is_not_settled_is_erased_once_it_is(sandbox):
    order = order_row("order-1", days=1, status=OrderStatus.NEEDS_ATTENTION)
    session = session_row("order-2", days=1, status=SessionStatus.NEEDS_ATTENTION)

    done = privacy.erase(JOHN)

    assert (done.orders, done.payments, done.waiting) == (0, 0, 2)
    order.refresh_from_db()
    assert order.customer == CUSTOMER
    assert forgetting.prune().orders == 0
    # A person decides; then it goes.
    VoucherOrder.objects.update(status=OrderStatus.PLACED)
    PaymentSession.objects.update(status=SessionStatus.CONFIRMED)
    report = forgetting.prune()
    assert (report.orders, report.payments) == (1, 1)
    order.refresh_from_db()
    session.refresh_from_db()
    assert (order.customer, session.metadata) == ({}, {})


def test_a_basket_in_use_is_erased_later(sandbox):
    payments.open_session(
        reference="order-1", amount_due="80.00", metadata={"email": JOHN}
    )

    assert privacy.erase(JOHN).waiting == 1
    PaymentSession.objects.update(last_active_at=timezone.now() - timedelta(hours=1))

    assert privacy.erase(JOHN).payments == 1


def test_what_is_asked_of_a_basket_in_use_is_not_forgotten_with_the_next(sandbox):
    """The customer changes the basket, and the shop sends all of it again."""
    for amount in ("30.00", "40.00"):
        payments.open_session(
            reference="order-1", amount_due=amount, metadata={"email": JOHN}
        )
        if amount == "30.00":
            assert privacy.erase(JOHN).waiting == 1
    payments.confirm(reference="order-1")

    forgetting.prune()

    assert PaymentSession.objects.get().metadata == {}


def test_what_only_a_forgotten_order_led_to_still_waits(sandbox):
    order_row("order-1", days=1)
    session = session_row("order-1", days=1, status=SessionStatus.NEEDS_ATTENTION)
    PaymentSession.objects.update(metadata={"name": "J. Smith"})
    SessionEmail.objects.all().delete()

    done = privacy.erase(JOHN)

    assert (done.orders, done.payments, done.waiting) == (1, 0, 1)
    session.refresh_from_db()
    assert session.metadata == {"name": "J. Smith"}
    assert session.erase_asked_at is not None


@pytest.fixture
def waiting(shop, monkeypatch):
    """A message about John's order that the host's queue has not come to yet."""
    monkeypatch.setattr(nudges, "nudge", lambda *args, **values: None)
    data = {**ORDER, "reference": "john-9"}
    shop.tell("order.paid", data, webhook_id="msg-9")
    assert message("msg-9").status == "received"
    return message("msg-9")


def test_what_a_message_comes_to_is_erased_if_that_was_asked_meanwhile(waiting):
    payments.open_session(reference="john-9", amount_due="10.00")
    payments.confirm(reference="john-9")
    assert privacy.erase(JOHN).waiting == 1

    inbox.process(waiting.pk)
    order = VoucherOrder.objects.get(reference="john-9")
    assert (order.status, order.customer["email"]) == ("placed", JOHN)
    forgetting.prune()

    order.refresh_from_db()
    assert order.customer == {}
    assert message("msg-9").payload_encrypted == ""
    session = PaymentSession.objects.get(reference="john-9")
    assert session.forgotten_at is not None


def test_a_message_that_comes_after_an_erasure_is_an_order_like_any(shop):
    privacy.erase(JOHN)

    shop.tell("order.paid", {**ORDER, "reference": "john-9"}, webhook_id="msg-9")
    inbox.process(message("msg-9").pk)
    forgetting.prune()

    order = VoucherOrder.objects.get(reference="john-9")
    assert (order.status, order.customer["email"]) == ("placed", JOHN)


def test_what_a_message_comes_to_during_an_erasure_is_found(waiting, monkeypatch):
    """It is done after the rows were listed, and before the erasure is written down."""
    has_run = []

    def work(execute, sql, *rest):
        # The last look before the first write.
        if not has_run and sql.startswith("SELECT") and "payload_encrypted" in sql:
            has_run.append(sql)
            answer = execute(sql, *rest)
            inbox.process(waiting.pk)
            return answer
        return execute(sql, *rest)

    with connection.execute_wrapper(work):
        privacy.erase(JOHN)

    assert has_run
    assert VoucherOrder.objects.get(reference="john-9").customer == {}


def test_a_message_that_fails_after_an_erasure_is_emptied(shop, monkeypatch):
    monkeypatch.setattr(nudges, "nudge", lambda *args, **values: None)
    items = [{"product": 999_999, "price": "50.00"}]
    data = {**ORDER, "reference": "john-9", "items": items}
    shop.tell("order.paid", data, webhook_id="msg-9")
    assert privacy.erase(JOHN).waiting == 1

    inbox.process(message("msg-9").pk)

    assert message("msg-9").status == "failed"
    assert message("msg-9").payload_encrypted == ""
    assert timeline("msg-9")[-1] == "erased"


def test_a_message_that_is_worked_on_is_left_alone(shop):
    tell_of_an_order_that_fails(shop, JOHN, "msg-1")
    InboxMessage.objects.update(status="received", next_attempt_at=timezone.now())

    done = privacy.erase(JOHN)

    assert (done.messages, done.waiting) == (0, 1)
    assert message("msg-1").payload_encrypted


def test_an_erasure_that_was_killed_is_finished_by_the_next_pruning(shop):
    """The first commit is all that it takes."""

    class Killed(BaseException):
        pass

    commits = []

    def die_after_the_first(execute, sql, params, many, context):
        if commits and sql.startswith("UPDATE"):
            raise Killed
        if "privacyevent" in sql and sql.startswith("INSERT"):
            commits.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(die_after_the_first), pytest.raises(Killed):
        privacy.erase(JOHN)
    assert VoucherOrder.objects.get(reference="john-1").customer["email"]

    forgetting.prune()

    assert privacy.find(JOHN).is_nothing


# -- where nobody is named -----------------------------------------------------


def test_webhooks_and_stored_answers_name_nobody(shop, configure, receiver, client):
    """So they need not be searched for anybody: see ``privacy``."""
    configure(
        WEBHOOK_ENDPOINTS=[{"url": receiver.url, "secret": SECRET}],
        SERVER_KEYS=["server-key-for-tests"],
    )
    sales.place_order(reference="john-3", **BODY)
    payments.open_session(
        reference="john-3", amount_due="10.00", metadata={"mail": JOHN}
    )
    payments.confirm(reference="john-3")
    reconciliation.reconcile()
    for number, path, body in (
        (1, "server/voucher-orders", {"reference": "john-4", **BODY}),
        (2, "server/voucher-orders", {"reference": "john-5", **BODY, "items": []}),
        (
            3,
            "server/payment-sessions",
            {"reference": "john-4", "amount_due": "5.00", "metadata": {"mail": JOHN}},
        ),
    ):
        client.post(
            f"/smartgift/api/{path}",
            json.dumps(body),
            content_type="application/json",
            headers={
                "Authorization": "Bearer server-key-for-tests",
                "Idempotency-Key": str(number),
            },
        )

    sealed = [
        *OutboxEvent.objects.exclude(message_encrypted="").values_list(
            "message_encrypted", flat=True
        ),
        *StoredAnswer.objects.exclude(answer_encrypted="").values_list(
            "answer_encrypted", flat=True
        ),
    ]
    assert len(sealed) >= 5
    said = " ".join(map(vault.open_sealed, sealed))
    assert "john-4" in said
    for word in PERSONAL:
        assert word not in said
    assert JOHN not in said


# -- as a command --------------------------------------------------------------


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("smartgift_personal_data", *arguments, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def test_the_command_finds_exports_and_erases(shop, tmp_path):
    assert "voucher orders: 1 (0 not settled), payments: 2" in run("find", JOHN)
    assert json.loads(run("export", JOHN))["orders"][0]["reference"] == "john-1"
    target = tmp_path / "john.json"
    assert str(target) in run("export", JOHN, "--output", str(target), "--by", "Ann")
    assert json.loads(target.read_text("utf-8"))["email"] == JOHN
    assert target.stat().st_mode & 0o077 == 0
    assert "erased: 1 voucher orders, 2 payments" in run("erase", JOHN, "--yes")
    told = run("find", JOHN)
    assert "voucher orders: 0" in told
    assert "exported by Ann" in told
    assert told.count("export") == 2
    assert told.count("erased") == 1


def test_the_command_reads_the_address_from_standard_input(shop, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO(f"{JOHN}\n"))

    assert "voucher orders: 1" in run("find", "-")


def test_the_command_erases_nothing_unasked(shop, monkeypatch, tmp_path):
    before = everything()
    monkeypatch.setattr("sys.stdin", StringIO("yes\n"))

    with pytest.raises(CommandError, match="--yes"):
        run("erase", JOHN)
    with pytest.raises(CommandError, match="no e-mail address"):
        run("erase", "nobody", "--yes")
    kept = tmp_path / "kept.json"
    kept.write_text("mine")
    with pytest.raises(CommandError, match="File exists"):
        run("export", JOHN, "--output", str(kept))

    assert everything() == before
    assert kept.read_text() == "mine"
    assert not PrivacyEvent.objects.exists()


def test_the_command_says_what_waits(sandbox):
    order_row(days=1, status=OrderStatus.QUEUED)

    assert "1 are not settled yet" in run("erase", JOHN, "--yes")


# -- what was there before -----------------------------------------------------


def test_customers_of_former_days_are_found_too(monkeypatch):
    """The migration lets what is there be found, however much it is."""
    folder = Path(migrations.__file__).parent
    [name] = [path.stem for path in folder.glob("0*_roles.py")]
    migration = import_module(f"{migrations.__name__}.{name}")
    monkeypatch.setattr(migration, "BATCH", 2)
    for number in range(5):
        order_row(f"order-{number}", email_digest="")
        session_row(f"session-{number}")
    order_row("nobody", email_digest="", customer={})
    SessionEmail.objects.all().delete()
    assert privacy.find(JOHN).is_nothing

    migration.note_addresses(apps, connection.schema_editor())

    found = privacy.find(JOHN)
    assert (found.orders, found.payments) == (5, 5)
    assert VoucherOrder.objects.get(reference="nobody").email_digest == ""

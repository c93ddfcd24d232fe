"""Mail to staff about what needs a person: once for all that came at once."""

import logging
import smtplib
import socket
import threading
import time

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from wagtail_smartgift import payments
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    OutboxEvent,
    PaymentSession,
    StaffNotice,
    VoucherOrder,
)
from wagtail_smartgift.services import (
    attention,
    delivery_rounds,
    outbox,
    reconciliation,
)


STAFF = ["staff@example.org", "night@example.org"]
NUMBER = "GOOD-0050-0001"
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


def mail_by(settings, backend):
    """Have mail go another way, in the words of this Django."""
    if hasattr(settings, "MAILERS"):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend


@pytest.fixture
def staff(configure):
    configure(ATTENTION_EMAILS=STAFF)


def needs_a_person(reference, code="balance_moved"):
    """Have a payment given to a person, as the protocol does in the end."""
    payments.open_session(reference=reference, amount_due="80.00")
    row = PaymentSession.objects.get(reference=reference)
    PaymentSession.objects.filter(pk=row.pk).update(
        status="needs_attention", attention_code=code
    )
    row.refresh_from_db()
    outbox.emit("session.needs_attention", session=row)
    return row


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_one_mail_says_which_and_why_and_where():
    needs_a_person("order-1")
    needs_a_person("order-2", "ids_lost")

    report = reconciliation.reconcile()

    [message] = mail.outbox
    assert message.to == STAFF
    assert message.subject == "Gift vouchers: 2 cases need a person"
    assert "Payment order-1: Its balance changed" in message.body
    assert "Payment order-2: It was redeemed, but cannot be reversed" in message.body
    for session in PaymentSession.objects.all():
        case = reverse("smartgift_attention:payment", args=[session.pk])
        assert f"http://testserver{case}" in message.body
    assert report.told == 2
    assert reconciliation.reconcile().told == 0
    assert len(mail.outbox) == 1


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_of_a_voucher_there_are_the_last_characters_only():
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no=NUMBER)
    row = PaymentSession.objects.get()
    row.redemptions.update(status="needs_attention", attention_code="unreachable")
    needs_a_person("order-1")

    reconciliation.reconcile()

    [message] = mail.outbox
    assert "Voucher …0001: Smart Gift did not answer" in message.body
    assert NUMBER not in message.body + message.subject
    assert NUMBER.replace("-", "") not in message.body


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_many_at_once_are_one_mail(time_machine_now):
    for number in range(60):
        needs_a_person(f"order-{number}")

    reconciliation.reconcile()
    needs_a_person("order-late")
    reconciliation.reconcile()

    [message] = mail.outbox
    assert message.subject == "Gift vouchers: 60 cases need a person"
    assert message.body.count("Payment order-") == attention.DESCRIBED
    assert "And 10 more." in message.body

    time_machine_now.shift(attention.QUIET + 1)
    reconciliation.reconcile()
    assert mail.outbox[1].subject == "Gift vouchers: 1 case needs a person"
    assert "order-late" in mail.outbox[1].body


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_an_order_is_told_of_too():
    order = VoucherOrder(
        reference="order-3",
        remote_reference="order-3",
        status="needs_attention",
        attention_code="sale_unknown",
        content_digest="x",
    )
    order.bind_to(get_conf().account("default"))
    order.save()
    outbox.emit("voucher_order.needs_attention", order=order)

    reconciliation.reconcile()

    [message] = mail.outbox
    assert "Voucher order order-3: Nobody knows" in message.body


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_what_was_settled_meanwhile_is_not_told():
    row = needs_a_person("order-1")
    PaymentSession.objects.filter(pk=row.pk).update(status="confirmed")

    assert reconciliation.reconcile().told == 0

    assert mail.outbox == []
    assert StaffNotice.objects.filter(told_at=None).count() == 0


@pytest.mark.usefixtures("sandbox", "db")
def test_nobody_to_tell_is_nothing_to_do():
    needs_a_person("order-1")

    assert reconciliation.reconcile().told == 0

    assert mail.outbox == []
    assert not StaffNotice.objects.exists()


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_other_events_are_no_mail():
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.confirm(reference="order-1")

    reconciliation.reconcile()

    assert OutboxEvent.objects.exists()
    assert mail.outbox == []


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_mail_that_does_not_work_stops_nothing_and_is_tried_again(
    settings, time_machine_now, caplog
):
    needs_a_person("order-1")
    mail_by(settings, "nowhere.Backend")
    with caplog.at_level(logging.ERROR):
        report = reconciliation.reconcile()
    assert (report.told, report.faults) == (0, 0)
    assert "Staff could not be told" in caplog.text
    mail_by(settings, LOCMEM)

    time_machine_now.shift(attention.CLAIM + 1)
    assert reconciliation.reconcile().told == 1
    assert len(mail.outbox) == 1


class NoTimeout(BaseEmailBackend):
    """Speaks SMTP as Django's own backend does where no timeout is set."""

    port = 0

    def send_messages(self, messages):
        with smtplib.SMTP("127.0.0.1", self.port) as server:
            for message in messages:
                server.sendmail("shop@example.org", message.to, "text")
        return len(messages)


class MailServer:
    """Takes connections and says nothing until it is let go."""

    def __init__(self):
        self.mails = 0
        self.connections = 0
        self._speaks = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _address = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with client, client.makefile("rwb") as stream:
                self._speaks.wait()
                self._talk(stream)

    def _talk(self, stream):
        stream.write(b"220 at last\r\n")
        stream.flush()
        for line in stream:
            word = line[:4].upper()
            if word == b"DATA":
                answer = b"354 go on\r\n"
            else:
                answer = b"250 fine\r\n" if word != b"QUIT" else b"221 bye\r\n"
            stream.write(answer)
            stream.flush()
            if word == b"DATA":
                while stream.readline() != b".\r\n":
                    pass
                self.mails += 1
                stream.write(b"250 taken\r\n")
                stream.flush()

    def speak(self):
        self._speaks.set()

    def close(self):
        self.speak()
        self._socket.close()


@pytest.fixture
def silent(settings, monkeypatch):
    server = MailServer()
    monkeypatch.setattr(NoTimeout, "port", server.port)
    monkeypatch.setattr(attention, "SECONDS", 0.3)
    mail_by(settings, f"{__name__}.NoTimeout")
    yield server
    server.close()
    for sending, _notices in attention._late:
        assert sending.is_over(within=5)
    attention._late.clear()


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_a_mail_server_that_says_nothing_stops_no_sweep(silent, caplog):
    needs_a_person("order-1")
    began = time.monotonic()

    with caplog.at_level(logging.ERROR):
        report = reconciliation.reconcile()

    assert time.monotonic() - began < 5
    assert (report.told, silent.mails) == (0, 0)
    assert "has not answered" in caplog.text
    assert StaffNotice.objects.get().told_at is None


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_a_mail_that_hangs_is_the_only_one_of_its_process(silent, time_machine_now):
    needs_a_person("order-1")
    reconciliation.reconcile()

    time_machine_now.shift(attention.CLAIM + 1)
    needs_a_person("order-2")
    reconciliation.reconcile()

    assert silent.connections == 1


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_a_mail_that_was_taken_late_is_not_sent_again(silent, time_machine_now):
    needs_a_person("order-1")
    reconciliation.reconcile()
    silent.speak()
    [(sending, _notices)] = attention._late
    assert sending.is_over(within=5)

    time_machine_now.shift(attention.CLAIM + 1)
    reconciliation.reconcile()

    assert silent.mails == 1
    assert StaffNotice.objects.get().told_at is not None


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_a_mail_that_is_refused_late_is_sent_again(
    silent, settings, time_machine_now, monkeypatch
):
    needs_a_person("order-1")
    reconciliation.reconcile()
    monkeypatch.setattr(smtplib.SMTP, "sendmail", lambda *args: 1 / 0)
    silent.speak()
    [(sending, _notices)] = attention._late
    assert sending.is_over(within=5)
    assert isinstance(sending.failure, ZeroDivisionError)

    mail_by(settings, LOCMEM)
    time_machine_now.shift(attention.CLAIM + 1)
    assert reconciliation.reconcile().told == 1
    assert len(mail.outbox) == 1


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_a_copy_of_the_database_mails_nobody(configure, settings):
    needs_a_person("order-1")
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_sandbox_staging"}})

    reconciliation.reconcile()

    assert mail.outbox == []


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_without_an_address_of_the_admin_there_is_no_link(settings):
    settings.WAGTAILADMIN_BASE_URL = None
    needs_a_person("order-1")

    reconciliation.reconcile()

    assert "http" not in mail.outbox[0].body


@pytest.mark.usefixtures("staff", "sandbox", "db")
def test_an_event_that_staff_wait_for_is_not_forgotten(time_machine_now, configure):
    needs_a_person("order-1")
    OutboxEvent.objects.update(dispatched_at=timezone.now())
    time_machine_now.shift(100 * 86400)

    delivery_rounds.prune()
    assert OutboxEvent.objects.count() == 1

    # Nobody is to be told any more.
    configure(ATTENTION_EMAILS=[])
    delivery_rounds.prune()
    assert OutboxEvent.objects.count() == 0


@pytest.mark.usefixtures("staff", "sandbox")
@pytest.mark.django_db(transaction=True)
def test_several_sweeps_send_one_mail():
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no memory")
    for number in range(5):
        needs_a_person(f"order-{number}")
    start = threading.Barrier(4)
    told = []

    def work():
        try:
            start.wait()
            told.append(attention.tell_staff())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [0, 0, 0, 5]
    assert len(mail.outbox) == 1

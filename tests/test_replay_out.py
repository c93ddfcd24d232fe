"""Sending webhooks again, as an operator does."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests import receivers
from wagtail_smartgift import payments
from wagtail_smartgift.models import WebhookDelivery
from wagtail_smartgift.services import reconciliation


pytestmark = pytest.mark.django_db


def replay(*arguments):
    """Return what the command said, and what it failed with."""
    out = StringIO()
    try:
        call_command("smartgift_replay", "out", *arguments, stdout=out, stderr=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), None


@pytest.fixture
def given_up(configure, receiver, sandbox):
    """Two webhooks that were given up, and one that was delivered."""
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    reconciliation.reconcile()
    receiver.always = receivers.status(410)
    payments.confirm(reference="order-1")
    reconciliation.reconcile()
    receiver.always = receivers.status(204)
    del receiver.messages[:]
    return receiver


def statuses():
    return list(WebhookDelivery.objects.order_by("pk").values_list("status", flat=True))


def test_what_was_given_up_is_sent_again(given_up):
    assert statuses() == ["delivered", "failed", "failed"]

    said, failure = replay()

    assert failure is None
    assert given_up.types == ["voucher.redeemed", "session.confirmed"]
    assert said.count(": delivered\n") == 2
    assert statuses() == ["delivered"] * 3
    assert replay() == ("There is nothing to send again.\n", None)


def test_a_dry_run_sends_nothing(given_up):
    said, failure = replay("--dry-run")

    assert (said.count("would be sent"), failure) == (2, None)
    assert given_up.messages == []
    assert statuses() == ["delivered", "failed", "failed"]


def test_it_is_chosen_what_is_sent(given_up):
    first = WebhookDelivery.objects.order_by("pk").first()

    assert (
        replay("--type", "session.refunded")[0] == "There is nothing to send again.\n"
    )
    assert replay("--endpoint", "nowhere")[0] == "There is nothing to send again.\n"
    assert replay("--since", "2999-01-01")[0] == "There is nothing to send again.\n"
    assert replay("--event", str(first.event_id))[0].startswith("There is nothing")
    assert given_up.messages == []

    replay("--all", "--event", str(first.event_id))
    assert given_up.types == ["voucher.held"]

    replay("--type", "session.confirmed", "--endpoint", "127.0.0.1")
    assert given_up.types == ["voucher.held", "session.confirmed"]


def test_what_does_not_arrive_is_said_and_is_a_failure(given_up):
    given_up.always = receivers.status(500)

    said, failure = replay()

    assert failure == "Not delivered: 2 of 2."
    assert said.count("status 500") == 2
    assert len(given_up.messages) == 2
    # They are tried again by themselves.
    assert statuses() == ["delivered", "pending", "pending"]


def test_an_endpoint_that_does_not_answer_is_tried_once(given_up):
    given_up.always = receivers.status(503)

    said, failure = replay()

    assert len(given_up.messages) == 1
    assert said.count("status 503") == 1
    assert said.count("left to the sweep: its endpoint does not answer") == 1
    assert failure == "Not delivered: 2 of 2."
    # Both are sent once it answers again, though nobody asks once more.
    assert statuses() == ["delivered", "pending", "pending"]
    given_up.always = receivers.status(204)
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())
    reconciliation.reconcile()
    assert statuses() == ["delivered"] * 3


def test_an_endpoint_that_is_gone_is_asked_once(given_up):
    given_up.always = receivers.status(410)

    said, failure = replay()

    assert len(given_up.messages) == 1
    assert said.count("given up: gone") == 1
    assert failure == "Not delivered: 2 of 2."
    assert statuses() == ["delivered", "failed", "failed"]


def test_one_that_somebody_else_sends_is_left_to_them(given_up):
    WebhookDelivery.objects.filter(status="failed").update(
        claimed_by="somebody", claimed_until=timezone.now() + timedelta(minutes=1)
    )

    said, failure = replay()

    assert said.count("being sent by somebody else") == 2
    assert given_up.messages == []
    assert failure == "Not delivered: 2 of 2."


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--all",)])
def test_what_another_host_told_is_left_alone(given_up, configure, settings, options):
    """A copy of the production database tells production's endpoints nothing."""
    mine = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**mine, "API_KEY": "sk_sandbox_staging"}})
    count = 3 if "--all" in options else 2

    said, failure = replay(*options)

    assert f"Left alone: {count}, made with another Smart Gift key" in said
    assert "There is nothing to send again." in said
    assert failure is None
    assert given_up.messages == []
    assert statuses() == ["delivered", "failed", "failed"]


def test_what_cannot_be_sent_says_why(given_up, configure):
    configure(WEBHOOK_ENDPOINTS=[])

    said, failure = replay()

    assert "not in WEBHOOK_ENDPOINTS" in said
    assert failure == "Not delivered: 2 of 2."
    assert statuses() == ["delivered", "failed", "failed"]


def test_wrong_words_are_refused():
    for arguments in (["--type", "no.such"], ["--event", "x"], ["--since", "x"]):
        assert replay(*arguments)[1] is not None

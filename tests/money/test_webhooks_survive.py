"""Webhooks and SIGKILL, and several sweeps at once, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.receivers import Receiver, running_receiver, silence, status
from wagtail_smartgift.services.delivering import CLAIM

from .nursery import Nursery


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as made:
        yield made


class Webhooks:
    def __init__(self, nursery: Nursery, receiver: Receiver, url: str) -> None:
        self.nursery, self.receiver = nursery, receiver
        self.more = {"endpoint": receiver.as_endpoint(), "base_url": url}

    def cause(self, count: int = 1, **values: Any) -> Any:
        return self.nursery.order("cause_webhooks", count=count, **self.more, **values)

    def send(self, **values: Any) -> Any:
        return self.nursery.order("send_webhooks", **self.more, **values)

    def send_at_once(self, workers: int) -> list[Any]:
        return self.nursery.race([{"name": "send_webhooks", **self.more}] * workers)

    def rows(self) -> Any:
        return self.nursery.order("webhook_rows")


@pytest.fixture
def webhooks(nursery, receiver, smart_gift):
    return Webhooks(nursery, receiver, smart_gift.url)


def test_dead_between_the_commit_and_telling(webhooks, receiver):
    assert webhooks.cause(dies=True) is None
    assert webhooks.rows() == [["pending", 0]]

    assert webhooks.send() == 1

    assert len(receiver.messages) == 1


def test_dead_before_it_was_sent(webhooks, receiver):
    webhooks.cause()
    assert webhooks.send(dies="before") is None
    assert receiver.messages == []
    # Whoever died has the claim until it runs out.
    assert webhooks.send() == 0

    assert webhooks.send(offset=CLAIM + 1) == 1

    assert len(receiver.messages) == 1
    assert webhooks.rows() == [["delivered", 2]]


def test_dead_after_it_was_sent(webhooks, receiver):
    webhooks.cause()
    assert webhooks.send(dies="after") is None

    receiver.wrong.clear()
    assert webhooks.send(offset=CLAIM + 1) == 1

    # At least once: and the receiver knows the repeat by its id.
    first, second = receiver.messages
    assert (first.id, first.body) == (second.id, second.body)
    assert webhooks.rows() == [["delivered", 2]]


def test_several_sweeps_send_each_once(webhooks, receiver):
    def slow(request: Any) -> None:
        silence(0.05)(request)
        status(204)(request)

    receiver.always = slow
    webhooks.cause(count=10)

    delivered = webhooks.send_at_once(4)

    assert sum(delivered) == 10
    ids = [message.id for message in receiver.messages]
    assert len(ids) == len(set(ids)) == 10
    assert webhooks.rows() == [["delivered", 1]] * 10


def test_without_claims_several_sweeps_send_twice(webhooks, receiver):
    """The damage that claims are there for."""

    def slow(request: Any) -> None:
        silence(0.3)(request)
        status(204)(request)

    receiver.always = slow
    webhooks.cause(count=6)

    webhooks.nursery.race(
        [{"name": "send_webhooks", "locked": False, **webhooks.more}] * 4
    )

    ids = [message.id for message in receiver.messages]
    assert len(ids) > len(set(ids))

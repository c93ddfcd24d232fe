"""Limits at the door: whether the client of a request may ask.

Limits and counting are in ``services.guessing``, since pages are bound by them too,
and the counters in the database, which all processes share. Ninja's own throttles
count in a cache, in two steps between which others count as well, and take any
address for the client's that it cares to send.
"""

import threading

from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from wagtail_smartgift.services import guessing
from wagtail_smartgift.visitors import client_of


class BalanceThrottle(BaseThrottle):
    """Turns a client that is over a limit away before its request is read."""

    def __init__(self) -> None:
        # Ninja asks the one object for all requests, twice for each.
        self._asked = threading.local()

    def allow_request(self, request: HttpRequest) -> bool:
        self._asked.wait = guessing.seconds_to_wait(client_of(request))
        return self._asked.wait is None

    def wait(self) -> float | None:
        wait: float | None = self._asked.wait
        return wait

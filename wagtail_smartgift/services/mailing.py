"""Handing a mail to the host's backend without waiting for it for ever.

The backend is the host's: it may be one that Django knows, without a timeout, and a mail
server that takes a connection and says nothing then holds it for good. No setting bounds
every backend, so the mail is sent in a thread of its own and waited for some seconds. A
thread cannot be stopped: it is left behind, with nothing of ours in its hands, and
until it is over this process sends no other mail.
"""

import logging
import threading

from django.core.mail import EmailMessage
from django.db import connections


logger = logging.getLogger(__name__)


class Sending:
    """One mail on its way; ``failure`` is what the backend raised, once it is over."""

    def __init__(self, message: EmailMessage) -> None:
        self.failure: Exception | None = None
        self._message = message
        self._thread = threading.Thread(
            target=self._send, name="smartgift-mail", daemon=True
        )
        self._thread.start()

    def _send(self) -> None:
        try:
            self._message.send()
        except Exception as error:  # noqa: BLE001 - the host's backend may raise anything; whoever waits looks at it
            self.failure = error
        finally:
            # A backend that queues mail in the database has a connection of this thread.
            connections.close_all()

    def is_over(self, *, within: float) -> bool:
        """Wait for so many seconds at most, and tell whether it is over."""
        self._thread.join(within)
        return not self._thread.is_alive()

"""Runs the local Smart Gift server beside the commands that need one.

Its state is in a file, so a command that lives for a second finds what the one
before it did. Only ``manage.py`` starts it; a WSGI worker never does.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from mill import env
from wagtail_smartgift.sandbox import DatabaseInUse, Sandbox, SandboxServer


ADDRESS = ("127.0.0.1", 8765)
SANDBOX_KEY = "sk_sandbox"
#: Where the shop keeps its files; the tests put theirs elsewhere.
VAR_DIR = Path(
    env.text("MILL_VAR_DIR") or Path(__file__).resolve().parent.parent / "var"
)
DATABASE = VAR_DIR / "smartgift.sqlite3"
#: Seconds between two looks at whether the server of another command still runs.
_PAUSE = 1.0


@contextlib.contextmanager
def running_for(arguments: Sequence[str]) -> Iterator[None]:
    """See that a local Smart Gift server listens while a command runs."""
    if not _is_needed(arguments):
        yield
        return
    keeper = Keeper()
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


def _is_needed(arguments: Sequence[str]) -> bool:
    command = arguments[0] if arguments else ""
    return (
        (command in {"runserver", "load_example_data"} or "smartgift_" in command)
        and not {"--help", "-h"} & set(arguments)
        and not env.text("SMARTGIFT_BASE_URL")
        # The autoreloader's child; its parent has the server.
        and os.environ.get("RUN_MAIN") != "true"
    )


class Keeper:
    """Starts the server where nothing listens, also when another command's ends."""

    def __init__(self) -> None:
        self._server: SandboxServer | None = None
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="smart gift keeper", daemon=True
        )

    def start(self) -> None:
        """Return when a server listens, ours or another's; or after five seconds."""
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        if self._server is not None:
            self._server.stop()

    def _watch(self) -> None:
        pause = 0.0
        while self._server is None and not self._stopping.wait(pause):
            if _listens() or self._serve():
                self._ready.set()
                pause = _PAUSE
            else:
                pause = 0.1

    def _serve(self) -> bool:
        DATABASE.parent.mkdir(parents=True, exist_ok=True)
        try:
            sandbox = Sandbox(
                database=DATABASE,
                api_keys=[env.text("SMARTGIFT_API_KEY", SANDBOX_KEY)],
            )
        except DatabaseInUse:
            return False  # Another command is just starting or stopping it.
        host, port = ADDRESS
        try:
            self._server = SandboxServer(sandbox, host=host, port=port).start()
        except OSError:
            sandbox.close()
            return False
        return True


def _listens() -> bool:
    with contextlib.suppress(OSError), socket.create_connection(ADDRESS, timeout=1):
        return True
    return False

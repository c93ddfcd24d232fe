from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands import runserver

from mill.home.welcome import welcome


class Command(runserver.Command):
    """Django's own, on ``PORT``, with a word of welcome."""

    default_port = str(settings.PORT)

    def get_handler(self, *args: Any, **options: Any) -> Any:
        # Static files also with DEBUG off, as in wsgi.py.
        return super().get_handler(*args, **{**options, "insecure_serving": True})

    def on_bind(self, server_port: int) -> None:
        super().on_bind(server_port)
        host = f"[{self.addr}]" if self._raw_ipv6 else self.addr
        if host in {"127.0.0.1", "0", "0.0.0.0"}:  # noqa: S104 - compared, not bound
            host = "localhost"
        self.stdout.write(welcome(f"{self.protocol}://{host}:{server_port}"))

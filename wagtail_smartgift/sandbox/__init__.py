"""A local Smart Gift server, for development, tests and demonstrations.

It speaks the documented API over real HTTP, keeps time that can be moved, breaks on
demand, and shows what happened. It needs the standard library alone and imports
nothing of the rest of this package::

    from wagtail_smartgift.sandbox import Sandbox, SandboxServer

    with SandboxServer(Sandbox()) as server:
        print(server.url)

On the command line: ``python -m wagtail_smartgift.sandbox --help``.
"""

from .answers import Answer, Refusal
from .behaviour import Behaviour
from .clock import Clock
from .core import Sandbox
from .engine import LogLine
from .faults import Fault
from .records import Entry, Experience, Product, Redemption, Sale, Voucher
from .server import SandboxServer
from .store import DatabaseInUse


__all__ = [
    "Answer",
    "Behaviour",
    "Clock",
    "DatabaseInUse",
    "Entry",
    "Experience",
    "Fault",
    "LogLine",
    "Product",
    "Redemption",
    "Refusal",
    "Sale",
    "Sandbox",
    "SandboxServer",
    "Voucher",
]

"""``python -m wagtail_smartgift.sandbox``: the sandbox on the command line."""

import argparse
import signal
import sys
import threading
from dataclasses import fields
from types import FrameType
from typing import Any

from .behaviour import Behaviour
from .catalogue import DEFAULT_KEY, DELIVERY_METHODS, PAYMENT_METHODS
from .core import Sandbox
from .magic import VOUCHERS
from .server import SandboxServer
from .store import DatabaseInUse


_EPILOG = """\
Point your shop at the address printed, with the key and the site number printed, and
type one of the voucher numbers. The page at the address shows what happened. Stop with
Ctrl-C. Without --database everything is forgotten then.
"""

#: Behaviours that have a flag of their own among the main ones.
_OWN_FLAG = {"rate_limit", "hold_seconds", "latency"}


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        given = {f.name: getattr(options, f.name) for f in fields(Behaviour)}
        behaviour = Behaviour(**{n: v for n, v in given.items() if v is not None})
        sandbox = Sandbox(
            api_keys=options.api_key or [DEFAULT_KEY],
            behaviour=behaviour,
            database=options.database,
        )
    except (ValueError, DatabaseInUse) as error:
        parser.error(str(error))
    try:
        server = SandboxServer(
            sandbox, host=options.host, port=options.port, control=options.control
        )
    except (OSError, OverflowError) as error:
        sandbox.close()
        print(
            f"Cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr
        )
        return 1
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    with server:
        if not options.quiet:
            _introduce(server, options)
        print(f"Smart Gift sandbox ready at {server.url}", flush=True)
        # In pieces: Windows delivers no signal to one that waits for ever.
        while not stop.wait(1.0):
            continue
    return 0


def _introduce(server: SandboxServer, options: argparse.Namespace) -> None:
    company = server.sandbox.companies[0]
    delivery = "; ".join(f"{n} {name}" for n, (name, _) in DELIVERY_METHODS.items())
    kept = options.database or "memory (forgotten at the end)"
    lines = [
        ("Address", f"{server.url}  (open it in a browser)"),
        ("Key", ", ".join(company.keys)),
        ("Site id", "; ".join(f"{n} {name}" for n, name in company.sites.items())),
        ("Payment", "; ".join(f"{n} {name}" for n, name in PAYMENT_METHODS)),
        ("Delivery", delivery),
        ("Kept in", kept),
    ]
    for name, text in lines:
        print(f"{name + ':':<10}{text}")
    print("\nVoucher numbers to try:")
    for one in VOUCHERS:
        print(f"  {one.number:<28}{one.shows}")
    print()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wagtail_smartgift.sandbox",
        usage="%(prog)s [options]",
        description="Serve a stand-in for the Smart Gift API on this machine, with "
        "vouchers to try, time that can be moved, and faults on demand.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add(
        "--port",
        type=int,
        default=8765,
        help="port to listen on; 0 takes any free one and prints it (%(default)s)",
    )
    add("--database", metavar="FILE", help="keep everything in this SQLite file")
    add(
        "--api-key",
        action="append",
        metavar="KEY",
        help=f"key that opens the sandbox; may be repeated ({DEFAULT_KEY})",
    )
    add(
        "--rate-limit",
        type=int,
        default=60,
        metavar="CALLS",
        help="calls a minute for each key; 0 switches the limit off (%(default)s)",
    )
    add(
        "--latency",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="let every answer take this long (%(default)s)",
    )
    add(
        "--hold-seconds",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long a hold lasts (%(default)s)",
    )
    add(
        "--no-control",
        dest="control",
        action="store_false",
        help="switch off /_sandbox/ and the buttons of the page",
    )
    add("--quiet", action="store_true", help="print the address only")
    group = parser.add_argument_group(
        "what Smart Gift's documentation leaves open",
        "The sandbox gives the likelier answer; these try the other ones.",
    )
    for spec in fields(Behaviour):
        if spec.name not in _OWN_FLAG:
            _add_behaviour(group, spec)
    return parser


def _add_behaviour(group: Any, spec: Any) -> None:
    flag = "--" + spec.name.replace("_", "-")
    text = f"{spec.metadata['help']} (%(default)s)"
    if isinstance(spec.default, bool):
        group.add_argument(
            flag,
            action=argparse.BooleanOptionalAction,
            # None, for Python 3.10 prints any other default a second time.
            default=None,
            help=f"{spec.metadata['help']} ({'yes' if spec.default else 'no'})",
        )
    elif "choices" in spec.metadata:
        choices = spec.metadata["choices"]
        group.add_argument(flag, choices=choices, default=spec.default, help=text)
    else:
        kind = type(spec.default)
        group.add_argument(
            flag, type=kind, default=spec.default, metavar="N", help=text
        )


if __name__ == "__main__":
    sys.exit(main())

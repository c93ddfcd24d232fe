"""Time ``GET vouchers``: ``python -m tests.benchmarks.vouchers --help``.

The same products, 1,000 of them, through the plainest Django view there could be,
through ninja with schemas, through our JSON API, and as pages through Wagtail's own
APIs, in one process on a database in memory. The views are called through Django's
test client, so middleware is in every figure. Times are medians of the processor's, in
milliseconds, and how often the plain view's that is.
"""

import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import django

from tests.benchmarks import arena


SETTINGS = "tests.benchmarks.vouchers_settings"
HEAD = ("who answers", "ms", "times", "queries", "kB", "status")


def main(arguments: Sequence[str] | None = None) -> int:
    made = arena.parser("vouchers", __doc__, databases=False)
    made.add_argument("--products", type=int, help="default 1000; quick: 40")
    made.add_argument("--rounds", type=int, help="default 30; quick: 2")
    made.add_argument("--dressed", type=int, default=20, help="products with a page")
    options = made.parse_args(arguments)
    results = run(
        products=options.products or (40 if options.quick else 1000),
        rounds=options.rounds or (2 if options.quick else 30),
        dressed=options.dressed,
    )
    arena.show(results, head=HEAD, row=row, as_json=options.json)
    return 0


def row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["who"],
        arena.milliseconds(one["seconds"]),
        f"{one['times']:.2f}",
        *(one["queries"], one["size"] // 1024, one["status"]),
    )


def run(*, products: int, rounds: int, dressed: int) -> list[dict[str, Any]]:
    """Measure on an empty database in memory."""
    warnings.simplefilter("ignore")
    # Whatever settings the process was started with: a test's, for example.
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    call_command("migrate", verbosity=0)
    fill(products, dressed)
    client = Client()
    ours = f"/smartgift/api/vouchers?limit={products}"
    known = {"If-None-Match": client.get(ours)["ETag"]}
    cases: dict[str, tuple[str, dict[str, str]]] = {
        "plain JsonResponse(list(qs.values()))": ("/plain/", {}),
        "ninja, through schemas": (f"/with_schemas/vouchers?limit={products}", {}),
        "our GET vouchers": (ours, {}),
        "our GET vouchers, 304": (ours, known),
        "Wagtail API v2, as many pages": (f"/v2/pages/?limit={products}", {}),
        "Wagtail API v3, as many pages": (f"/v3/pages/?limit={products}", {}),
    }
    found: list[dict[str, Any]] = []
    for who, (address, headers) in cases.items():
        call = partial(client.get, address, headers=headers)
        answer = call()
        if answer.status_code == 404:  # Not in this Wagtail.
            continue
        with CaptureQueriesContext(connection) as captured:
            call()
        # Counted at once: the next request empties the log.
        queries = len(captured)
        [seconds] = arena.in_turn(rounds, call)
        found.append(
            {
                "who": who,
                "seconds": seconds,
                "times": seconds / found[0]["seconds"] if found else 1.0,
                "queries": queries,
                "size": len(answer.content),
                "status": answer.status_code,
            }
        )
    return found


def fill(products: int, dressed: int) -> None:
    """Make products, a page of ours for some, and a page of Wagtail's for each."""
    from wagtail.models import Page

    from tests.factories import make_index, make_site, make_voucher_page
    from wagtail_smartgift.models import VoucherProduct

    arena.make_products(1, products)
    index = make_index(make_site())
    for product in VoucherProduct.objects.order_by("remote_id")[:dressed]:
        make_voucher_page(index, product)
    root = index.get_parent()
    for number in range(products - dressed):
        root.add_child(instance=Page(title=f"Page {number}", slug=f"page-{number}"))


if __name__ == "__main__":
    sys.exit(main())

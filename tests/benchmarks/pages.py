"""Time the voucher pages: ``python -m tests.benchmarks.pages --help``.

The voucher index, a voucher's page and a plain page of 500 products, and each of them
as a bare Wagtail page of the same template would be: reading what it shows in the
plainest way, and deciding nothing. Beside that the template alone, with everything in
memory. All three answer the same address with the same page, and are called in turn
through Django's test client and all middleware. Times are medians of the processor's,
in milliseconds. Ends with 1 where ours takes more than 1.2 times what the bare one does.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import django

from tests.benchmarks import arena


SETTINGS = "tests.benchmarks.pages_settings"
#: How much longer than a bare page ours may take.
LIMIT = 1.2
#: With so many products the queries are counted first, to see that they do not grow.
FEW = 30
HEAD = (
    *("page", "ours, ms", "bare, ms", "times", "template alone, ms"),
    *("our queries", "of few products", "bare queries", "calls"),
)
#: About as long as what shops write about a voucher.
WORDS = "<p>" + "An afternoon at the mill, with tea and a view of the river. " * 12
#: Products that an editor has dressed with words and a picture, and pictures for them.
DRESSED, PICTURES = 20, 5


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.pages", description=__doc__
    )
    made.add_argument("--products", type=int, help="default 500; quick: 60")
    made.add_argument("--rounds", type=int, help="default 60; quick: 2")
    made.add_argument(
        "--quick", action="store_true", help="a small run that shows that it works"
    )
    made.add_argument("--json", action="store_true", help="print JSON, not a table")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        results = run(
            products=options.products or (60 if options.quick else 500),
            rounds=options.rounds or (2 if options.quick else 60),
            media=folder,
        )
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        print(arena.table(HEAD, [row(one) for one in results]))
    # In a run of two rounds the times say nothing.
    return int(not options.quick and any(one["times"] > LIMIT for one in results))


def row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["page"],
        f"{one['ours'] * 1000:.2f}",
        f"{one['bare'] * 1000:.2f}",
        f"{one['times']:.2f}",
        f"{one['template'] * 1000:.2f}",
        *(one["queries"], one["queries_of_few"], one["bare_queries"], one["calls"]),
    )


def run(*, products: int, rounds: int, media: str) -> list[dict[str, Any]]:
    """Measure on an empty database in memory."""
    warnings.simplefilter("ignore")
    # Whatever settings the process was started with: a test's, for example.
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    from tests.benchmarks import pages_bare
    from tests.factories import make_index, make_site
    from wagtail_smartgift.client._transport import Transport

    call_command("migrate", verbosity=0)
    settings.MEDIA_ROOT = media
    calls: list[object] = []
    # Nothing would be listening; but that nobody asks is to be seen.
    Transport.exchange = lambda *values, **_named: calls.append(values)  # type: ignore[assignment,method-assign,return-value]
    index = make_index(make_site())
    fill(index, 1, FEW)
    addresses = {
        "index": index.url,
        "voucher's page": f"{index.url}dressed-1/",
        "plain page": f"{index.url}p/{FEW}/",
    }
    client = Client()
    few = {name: count(client, address) for name, address in addresses.items()}
    fill(index, FEW + 1, products)
    found = []
    for name, address in addresses.items():
        ours = client.get(address)
        keep_in_memory(ours)
        with served_by("index", "voucher_page", "plain_product"):
            check_alike(client.get(address).content, ours.content)
            bare_queries = count(client, address)
        with served_by(*["ready"] * 3):
            check_alike(client.get(address).content, ours.content)
        mine, bare, template = in_turn(
            rounds,
            partial(client.get, address),
            partial(
                get_from, client, address, "index", "voucher_page", "plain_product"
            ),
            partial(get_from, client, address, *["ready"] * 3),
        )
        found.append(
            {
                "page": name,
                "ours": mine,
                "bare": bare,
                "times": mine / bare,
                "template": template,
                "queries": count(client, address),
                "queries_of_few": few[name],
                "bare_queries": bare_queries,
                "calls": len(calls),
            }
        )
    pages_bare.in_memory.clear()
    return found


@contextmanager
def served_by(*names: str) -> Iterator[None]:
    """Let views of ``pages_bare`` serve the index, pages and plain pages."""
    from wagtail_smartgift.models import VoucherIndexPage, VoucherPage

    places = (
        (VoucherIndexPage, "index_view"),
        (VoucherPage, "voucher_view"),
        (VoucherIndexPage, "product_view"),
    )
    for (model, attribute), name in zip(places, names, strict=True):
        setattr(model, attribute, f"tests.benchmarks.pages_bare.{name}")
    try:
        yield
    finally:
        for model, attribute in places:
            delattr(model, attribute)


def get_from(client: Any, address: str, *names: str) -> object:
    with served_by(*names):
        return client.get(address)


def count(client: Any, address: str) -> int:
    """Return the queries of a visit once Wagtail's own caches are warm."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        if client.get(address).status_code != 200:
            raise RuntimeError(f"{address} is not there.")
    # Counted at once: the next request empties the log.
    return len(captured)


def in_turn(rounds: int, *calls: Callable[[], object]) -> tuple[float, ...]:
    """Return the median seconds of the processor's of each call.

    They take turns, so that whatever else the machine does is in all of them.
    """
    times: list[list[float]] = [[] for _call in calls]
    for turn in range(rounds + 3):
        for call, taken in zip(calls, times, strict=True):
            began = time.process_time()
            call()
            if turn >= 3:  # Warm.
                taken.append(time.process_time() - began)
    return tuple(map(statistics.median, times))


def keep_in_memory(response: Any) -> None:
    """Keep what a page of ours has just been written with."""
    from tests.benchmarks import pages_bare

    context = dict(response.context_data)
    for name in ("request", "page", "self"):
        context.pop(name, None)
    template = response.template_name
    pages_bare.in_memory["context"] = context
    pages_bare.in_memory["template"] = template


def check_alike(bare: bytes, ours: bytes) -> None:
    """Refuse to compare pages that are not the same but for the form's token.

    Raises:
        RuntimeError: they differ in more.
    """
    token = rb'name="csrfmiddlewaretoken" value="\w+"'
    if re.sub(token, b"", bare) != re.sub(token, b"", ours):
        raise RuntimeError("The bare page does not look as ours does.")


def fill(index: Any, first: int, last: int) -> None:
    """Make products of these numbers; the very first ones have a page with a picture."""
    from django.core.files.images import ImageFile
    from django.utils import timezone
    from wagtail.images import get_image_model
    from wagtail.images.tests.utils import get_test_image_file_jpeg

    from tests.factories import make_voucher_page
    from wagtail_smartgift.models import CatalogueSync, VoucherProduct

    now = timezone.now()
    VoucherProduct.objects.bulk_create(
        VoucherProduct(
            account="default",
            remote_id=number,
            title=f"Voucher {number:04}",
            description_html=f"{WORDS}</p>",
            type="monetary",
            status="active",
            remote_status="active",
            min_amount=Decimal("10.00"),
            max_amount=Decimal("500.00"),
            increment=Decimal("5.00"),
            image_url=f"https://images.example/{number}.jpeg",
            digest="",
            first_seen_at=now,
            changed_at=now,
        )
        for number in range(first, last + 1)
    )
    if first > DRESSED:
        return
    CatalogueSync.objects.create(account="default", synced_at=now, changed_at=now)
    pictures = [
        get_image_model().objects.create(
            title=f"Picture {number}",
            file=ImageFile(
                get_test_image_file_jpeg(size=(960, 640)).file, f"{number}.jpg"
            ),
        )
        for number in range(PICTURES)
    ]
    for product in VoucherProduct.objects.order_by("remote_id")[:DRESSED]:
        make_voucher_page(
            index,
            product,
            introduction="<p>Let them choose: a night, a table, or a hamper.</p>",
            image=pictures[product.remote_id % PICTURES],
            body=[("heading", "How it works"), ("text", f"{WORDS}</p>")],
        )


if __name__ == "__main__":
    sys.exit(main())

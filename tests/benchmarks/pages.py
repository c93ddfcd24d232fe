"""Time the voucher pages: ``python -m tests.benchmarks.pages --help``.

The voucher index, a voucher's page and a plain page of 500 products, and each of them
as a bare Wagtail page would be: reading what it shows in the plainest way, deciding
nothing, and with Wagtail's own tag for pictures. The rest of the template and the form
are ours in both. Beside that the template alone, with everything in
memory. All three answer the same address with the same page, and are called in turn
through Django's test client and all middleware. Times are medians of the processor's,
in milliseconds. Ends with 1 where ours takes more than 1.2 times what the bare one does.

With --cards it measures the first visit instead: an index of as many vouchers, each with
a picture of its own of which no rendition has been made yet.
"""

import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from html import unescape
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
FIRST_HEAD = ("first visit of an index", "files made", "ms of the processor")
#: Real pictures, 1,600 pixels wide.
ALBUM = arena.REPOSITORY / "example_project" / "mill" / "home" / "pictures"
#: Products that an editor has dressed with words and a picture, and pictures for them.
DRESSED, PICTURES = 20, 5


def main(arguments: Sequence[str] | None = None) -> int:
    made = arena.parser("pages", __doc__, databases=False)
    made.add_argument("--products", type=int, help="default 500; quick: 60")
    made.add_argument("--rounds", type=int, help="default 60; quick: 2")
    made.add_argument("--cards", type=int, help="the first visit, 100 for a full index")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        set_up(folder)
        if options.cards:
            found = first_visit(options.cards)
            arena.show(found, head=FIRST_HEAD, row=first_row, as_json=options.json)
            return 0
        results = run(
            products=options.products or (60 if options.quick else 500),
            rounds=options.rounds or (2 if options.quick else 60),
        )
    arena.show(results, head=HEAD, row=row, as_json=options.json)
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


def first_row(one: dict[str, Any]) -> tuple[object, ...]:
    return one["what"], one["files"], f"{one['seconds'] * 1000:,.0f}"


def set_up(media: str) -> None:
    """Make an empty database in memory."""
    warnings.simplefilter("ignore")
    # Whatever settings the process was started with: a test's, for example.
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    settings.MEDIA_ROOT = media


def run(*, products: int, rounds: int) -> list[dict[str, Any]]:
    """Measure each page beside a bare one."""
    from django.test import Client

    from tests.benchmarks import pages_bare
    from tests.factories import make_index, make_site
    from wagtail_smartgift.client._transport import Transport

    calls: list[object] = []
    # Nothing would be listening; but that nobody asks is to be seen.
    Transport.exchange = lambda *values, **_named: calls.append(values)  # type: ignore[assignment,method-assign,return-value]
    index = make_index(make_site())
    arena.make_products(1, FEW)
    dress(index, DRESSED, pictures=PICTURES, ready=True)
    addresses = {
        "index": index.url,
        "voucher's page": f"{index.url}dressed-1/",
        "plain page": f"{index.url}p/{FEW}/",
    }
    client = Client()
    few = {name: count(client, address) for name, address in addresses.items()}
    arena.make_products(FEW + 1, products)
    found = []
    for name, address in addresses.items():
        ours = client.get(address)
        keep_in_memory(ours)
        with served_by("index", "voucher_page", "plain_product"):
            check_alike(client.get(address).content, ours.content)
            bare_queries = count(client, address)
        with served_by(*["ready"] * 3):
            check_alike(client.get(address).content, ours.content)
        mine, bare, template = arena.in_turn(
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


def first_visit(cards: int) -> list[dict[str, Any]]:
    """Visit an index none of whose pictures have been made, then have them made."""
    from django.test import Client
    from wagtail.images import get_image_model
    from wagtail.images.models import Rendition

    from tests.factories import make_index, make_site
    from wagtail_smartgift import renditions

    index = make_index(make_site())
    client = Client()
    client.get(index.url)  # What a process reads once, it has read.
    arena.make_products(1, cards)
    dress(index, cards, pictures=cards, ready=False)
    found = []

    def measure(what: str, call: Callable[[], Any]) -> Any:
        before, began = Rendition.objects.count(), time.process_time()
        result = call()
        seconds = time.process_time() - began
        files = Rendition.objects.count() - before
        found.append({"what": what, "files": files, "seconds": seconds})
        return result

    page = measure("the page", partial(client.get, index.url)).content.decode()
    sources = re.findall(r'<source [^>]*srcset="([^ "]+)', page)
    measure("one card's picture, asked for", partial(client.get, unescape(sources[0])))
    filters = renditions.picture_specs(renditions.CARD_SHAPES)
    images = list(get_image_model().objects.all())
    measure(
        "all pictures, as Wagtail's tag makes them within the page",
        lambda: [image.get_renditions(*filters) for image in images],
    )
    measure("the page again", partial(client.get, index.url))
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


def dress(index: Any, number: int, *, pictures: int, ready: bool) -> None:
    """Give the first products a page with one of these pictures; ready to be shown?"""
    from django.core.files.images import ImageFile
    from wagtail.images import get_image_model

    from tests.factories import make_voucher_page
    from wagtail_smartgift.models import VoucherProduct
    from wagtail_smartgift.services import renditions

    album = sorted(ALBUM.glob("*.jpg"))
    images = []
    for turn in range(pictures):
        path = album[turn % len(album)]
        with path.open("rb") as file:
            images.append(
                get_image_model().objects.create(
                    title=f"Picture {turn}", file=ImageFile(file, path.name)
                )
            )
    for product in VoucherProduct.objects.order_by("remote_id")[:number]:
        page = make_voucher_page(
            index,
            product,
            introduction="<p>Let them choose: a night, a table, or a hamper.</p>",
            image=images[product.remote_id % pictures],
            body=[("heading", "How it works"), ("text", f"{arena.WORDS}</p>")],
        )
        if ready:
            renditions.make_renditions(page)


if __name__ == "__main__":
    sys.exit(main())

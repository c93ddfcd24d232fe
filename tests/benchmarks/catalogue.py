"""Time the catalogue's sync: ``python -m tests.benchmarks.catalogue --help``.

The first sync, one that finds nothing new, and one that finds a hundredth changed;
beside a loop that gets or creates each product, and beside a page for each product.
What the network and the sandbox took is shown apart: it is nobody's fault here.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.benchmarks import arena
from tests.benchmarks.overhead import Sample, Stopwatch


HEAD = (
    "database",
    "what",
    "products",
    "ours, s",
    "of that on the processor, s",
    "ms a product",
    "queries",
    "Smart Gift's answer, s",
)
#: As long as what shops write: plain paragraphs here, marked-up ones there.
PLAIN = "An afternoon at the mill, with tea and a view of the river.\r\n\r\n" * 8
MARKED = "<p>A night in a river room, and <em>breakfast</em> until eleven.</p>\r\n" * 8


def make_sandbox(products: int) -> Any:
    """Return a sandbox with as many products, and a method that changes some."""
    from wagtail_smartgift.sandbox import Behaviour, Product, Sandbox

    class Shelves(Sandbox):
        def reprice(self, ids: Sequence[int]) -> None:
            for number in ids:
                more = self.product(number).max or 0
                self.change_product(number, max=more + 500)

    sandbox = Shelves(behaviour=Behaviour(rate_limit=0), seeded=False)
    now = sandbox.clock.now()
    for number in range(1, products + 1):
        sandbox.put_product(
            Product(
                number,
                1,
                f"Voucher {number}",
                PLAIN if number % 2 else MARKED,
                "monetary",
                min=1000,
                max=50_000,
                increments=500,
                created_at=now,
                updated_at=now,
            )
        )
    return sandbox


def run(*, products: int, loop: int, pages: int, rounds: int) -> list[dict[str, Any]]:
    """Measure on an empty database."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from wagtail_smartgift.conf import get_conf
    from wagtail_smartgift.models import VoucherProduct
    from wagtail_smartgift.services import catalogue, gateway

    arena.create_tables()
    found: list[dict[str, Any]] = []
    with (
        arena.smart_gift(make_sandbox, products) as remote,
        arena.settings_for(remote.url, RATE_LIMIT=0),
    ):
        account, watch = get_conf().account("default"), Stopwatch()

        def measure(what: str, before: Callable[[], object], **expected: int) -> None:
            sample, away = Sample(), []
            for turn in range(rounds + 1):
                before()
                if not turn:  # Noting queries costs time, so this turn is not timed.
                    with CaptureQueriesContext(connection) as captured:
                        catalogue.sync(account)
                    sample.queries.append(len(captured))
                    continue
                result = watch.run(sample, catalogue.sync, account=account)
                away.append(watch.away)
                done = {name: getattr(result, name) for name in expected}
                if done != expected:
                    raise RuntimeError(f"{what}: {result}")
            found.append(
                {
                    "what": what,
                    "products": products,
                    "seconds": statistics.median(sample.wall),
                    "cpu": statistics.median(sample.cpu),
                    "queries": sample.queries[0],
                    "away": statistics.median(away),
                }
            )

        some = list(range(1, products + 1, 100))
        measure(
            "first sync",
            lambda: VoucherProduct.objects.all().delete(),
            added=products,
        )
        measure("nothing changed", lambda: None, unchanged=products)
        measure("1 % changed", lambda: remote("reprice", some), changed=len(some))
        vouchers = gateway.connect(account).catalogue(known={}).news
        gateway.close_all()
    found.append(
        {"what": "a get-or-create loop", "products": loop, **_loop(vouchers[:loop])}
    )
    found.append({"what": "a page for each", "products": pages, **_pages(pages)})
    return found


def _loop(vouchers: Sequence[Any]) -> dict[str, Any]:
    """Write each product by itself, as one would at first."""
    from django.utils import timezone

    from wagtail_smartgift.models import VoucherProduct
    from wagtail_smartgift.services.catalogue_reading import read_product

    def write(voucher: Any) -> None:
        now = timezone.now()
        VoucherProduct.objects.update_or_create(
            account="loop",
            remote_id=voucher.id,
            defaults={**read_product(voucher), "changed_at": now},
            create_defaults={
                **read_product(voucher),
                "changed_at": now,
                "first_seen_at": now,
            },
        )

    return _timed(write, vouchers)


def _pages(number: int) -> dict[str, Any]:
    """Make a page for each product, with the revision that an editor's page has."""
    from wagtail.models import Locale, Page, Site

    from tests.factories import make_index
    from wagtail_smartgift.models import VoucherPage, VoucherProduct

    locale = Locale.objects.create(language_code="en-gb")
    root = Page.add_root(title="Root", slug="root", locale=locale)
    site = Site.objects.create(
        hostname="localhost", root_page=root, is_default_site=True
    )
    index = make_index(site)

    def write(product: Any) -> None:
        page = index.add_child(
            instance=VoucherPage(
                title=product.title,
                slug=f"voucher-{product.remote_id}",
                product=product,
                locale=locale,
            )
        )
        page.save_revision().publish()

    products = VoucherProduct.objects.filter(account="default")[:number]
    return _timed(write, list(products))


def _timed(write: Callable[[Any], None], items: Sequence[Any]) -> dict[str, Any]:
    """Time a function over items; its queries are counted on the last of them."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    began, used = time.perf_counter(), time.process_time()
    for item in items[:-1]:
        write(item)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    whole = len(items) / max(1, len(items) - 1)
    with CaptureQueriesContext(connection) as captured:
        write(items[-1])
    return {
        "seconds": seconds * whole,
        "cpu": cpu * whole,
        "queries": len(captured) * len(items),
        "away": None,
    }


def row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["database"],
        one["what"],
        f"{one['products']:,}",
        f"{one['seconds']:.2f}",
        f"{one['cpu']:.2f}",
        f"{one['seconds'] * 1000 / one['products']:.2f}",
        f"{one['queries']:,}",
        "–" if one["away"] is None else f"{one['away']:.2f}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    made = arena.parser(
        "catalogue",
        "Time the sync of a large catalogue, beside a loop and beside pages.",
    )
    made.add_argument("--products", type=int, help="default 10000; quick: 300")
    made.add_argument("--loop", type=int, help="in the loop; default: all of them")
    made.add_argument("--pages", type=int, help="default 300; quick: 5")
    made.add_argument("--rounds", type=int, default=3, help="of each sync; default 3")
    options = arena.parse(made, arguments)
    products = options.products or (300 if options.quick else 10_000)
    order = {
        "products": products,
        "loop": options.loop or products,
        "pages": options.pages or (5 if options.quick else 300),
        "rounds": options.rounds,
    }
    results = []
    for kind in options.database:
        with arena.database(kind) as on:
            found = arena.in_cell("catalogue", order, on=on)
        results += [{"database": kind, **one} for one in found]
    arena.show(results, head=HEAD, row=row, as_json=options.json)
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        arena.answer(run)
    else:
        sys.exit(main())

"""Time ``GET vouchers``: ``python -m tests.benchmarks.vouchers --help``.

The same products, 1,000 of them, through the plainest Django view there could be,
through ninja with schemas, through our JSON API, and as pages through Wagtail's own
APIs, in one process on a database in memory. The views are called through Django's
test client, so middleware is in every figure. Times are medians of the processor's, in
milliseconds, and how often the plain view's that is.
"""

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from decimal import Decimal

import django


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.vouchers_settings")
#: About as long as what shops write about a voucher.
WORDS = "<p>" + "An afternoon at the mill, with tea and a view of the river. " * 12


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--products", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--dressed", type=int, default=20, help="products with a page")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    call_command("migrate", verbosity=0)
    fill(chosen.products, chosen.dressed)
    client = Client()
    limit = chosen.products
    etag = client.get(f"/smartgift/api/vouchers?limit={limit}")["ETag"]
    cases = {
        "plain JsonResponse(list(qs.values()))": ("/plain/", {}),
        "ninja, through schemas": (f"/with_schemas/vouchers?limit={limit}", {}),
        "our GET vouchers": (f"/smartgift/api/vouchers?limit={limit}", {}),
        "our GET vouchers, 304": (
            f"/smartgift/api/vouchers?limit={limit}",
            {"If-None-Match": etag},
        ),
        "Wagtail API v2, as many pages": (f"/v2/pages/?limit={limit}", {}),
        "Wagtail API v3, as many pages": (f"/v3/pages/?limit={limit}", {}),
    }
    print(f"{chosen.products} products, median of {chosen.rounds} rounds")
    first = 0.0
    for name, (address, headers) in cases.items():

        def call(address: str = address, headers: dict[str, str] = headers) -> object:
            return client.get(address, headers=headers)

        answer = client.get(address, headers=headers)
        if answer.status_code == 404:
            print(f"  {name:<40} not in this Wagtail")
            continue
        with CaptureQueriesContext(connection) as captured:
            call()
        # Counted at once: the next request empties the log.
        queries = len(captured)
        taken = median(call, chosen.rounds)
        first = first or taken
        print(
            f"  {name:<40} {taken:7.1f} ms {taken / first:7.2f} x"
            f" {queries:5} queries {len(answer.content) // 1024:6} kB"
            f"  {answer.status_code}"
        )


def median(call: Callable[[], object], rounds: int) -> float:
    call()
    times = []
    for _round in range(rounds):
        # Of the processor: what else the machine does is in no figure.
        began = time.process_time()
        call()
        times.append((time.process_time() - began) * 1000)
    return statistics.median(times)


def fill(products: int, dressed: int) -> None:
    """Make products, a page of ours for some, and a page of Wagtail's for each."""
    from django.utils import timezone
    from wagtail.models import Page

    from tests.factories import make_index, make_site, make_voucher_page
    from wagtail_smartgift.models import CatalogueSync, VoucherProduct

    now = timezone.now()
    VoucherProduct.objects.bulk_create(
        VoucherProduct(
            account="default",
            remote_id=number,
            title=f"Voucher {number}",
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
        for number in range(1, products + 1)
    )
    CatalogueSync.objects.create(account="default", synced_at=now, changed_at=now)
    index = make_index(make_site())
    for product in VoucherProduct.objects.order_by("remote_id")[:dressed]:
        make_voucher_page(index, product)
    root = index.get_parent()
    for number in range(products - dressed):
        root.add_child(instance=Page(title=f"Page {number}", slug=f"page-{number}"))


if __name__ == "__main__":
    main()

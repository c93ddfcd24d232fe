"""Reading something by the way, for a page that must not fail with it."""

from collections.abc import Callable
from typing import TypeVar

from django.db import router, transaction

from wagtail_smartgift.models import PaymentSession


Found = TypeVar("Found")


def aside(read: Callable[[], Found]) -> Found:
    """Run ``read``, so that its failure spoils no transaction that is open.

    On PostgreSQL a query that fails takes the whole transaction with it: under
    ``ATOMIC_REQUESTS`` everything else on the page would fail after it.
    """
    alias = router.db_for_read(PaymentSession)
    if not transaction.get_connection(alias).in_atomic_block:
        return read()
    with transaction.atomic(using=alias):
        return read()

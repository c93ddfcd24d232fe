"""Mount with ``path("smartgift/", include("wagtail_smartgift.urls"))``."""

from typing import Any

from django.db import transaction
from django.urls import path

from wagtail_smartgift.api.main import api
from wagtail_smartgift.views import checkout


app_name = "wagtail_smartgift"


def _api_urls() -> tuple[list[Any], str, str]:
    """Keep a host's ``ATOMIC_REQUESTS`` off: money is committed step by step."""
    patterns, app, namespace = api.urls
    for pattern in patterns:
        pattern.callback = transaction.non_atomic_requests(pattern.callback)
    return patterns, app, namespace.rpartition(":")[2]


urlpatterns = [
    path("api/", _api_urls()),
    path("payment/vouchers/", checkout.add_voucher, name="voucher_add"),
    path("payment/vouchers/change/", checkout.change_voucher, name="voucher_change"),
    path("payment/vouchers/remove/", checkout.remove_voucher, name="voucher_remove"),
]

"""Mount with ``path("smartgift/", include("wagtail_smartgift.urls"))``."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from wagtail_smartgift.api.errors import problem
from wagtail_smartgift.api.main import api
from wagtail_smartgift.views import checkout


app_name = "wagtail_smartgift"


def _api_urls() -> tuple[list[Any], str, str]:
    """Keep a host's settings from standing in the way of the API.

    ``ATOMIC_REQUESTS`` is off, since money is committed step by step; a middleware
    that wants a login would send a till to a login page.
    """
    patterns, app, namespace = api.urls
    for pattern in patterns:
        view = transaction.non_atomic_requests(pattern.callback)
        pattern.callback = login_not_required(view)
    return patterns, app, namespace.rpartition(":")[2]


@csrf_exempt
@login_not_required
def _nothing_here(request: HttpRequest, rest: str) -> HttpResponse:
    return problem("not_found")


urlpatterns = [
    path("api/", _api_urls()),
    path("api/<path:rest>", _nothing_here),
    path("payment/vouchers/", checkout.add_voucher, name="voucher_add"),
    path("payment/vouchers/change/", checkout.change_voucher, name="voucher_change"),
    path("payment/vouchers/remove/", checkout.remove_voucher, name="voucher_remove"),
]

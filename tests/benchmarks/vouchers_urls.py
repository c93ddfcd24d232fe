from importlib import import_module
from importlib.util import find_spec

from django.http import HttpRequest, JsonResponse
from django.urls import path
from ninja import NinjaAPI
from wagtail.api.v2.router import WagtailAPIRouter
from wagtail.api.v2.views import PagesAPIViewSet

from tests.urls import urlpatterns as tests_urls
from wagtail_smartgift import listing
from wagtail_smartgift.api.schemas import VouchersOut
from wagtail_smartgift.api.sites import site_for
from wagtail_smartgift.models import VoucherProduct


def plain(request: HttpRequest) -> JsonResponse:
    """What there is to beat: everything that the row has, and nothing more."""
    return JsonResponse({"items": list(VoucherProduct.objects.values())})


with_schemas = NinjaAPI(urls_namespace="with_schemas")


@with_schemas.get("vouchers", response=VouchersOut)
def vouchers(request: HttpRequest, limit: int) -> object:
    """What ours answers, each item validated and written by its schema."""
    found = listing.voucher_list(
        site=site_for(request, None), limit=limit, request=request
    )
    items = [item._asdict() for item in found.items]
    return {"count": found.count, "items": items}


v2 = WagtailAPIRouter("wagtailapi")
v2.register_endpoint("pages", PagesAPIViewSet)
urlpatterns = [
    path("plain/", plain),
    path("with_schemas/", with_schemas.urls),
    path("v2/", v2.urls),
]
if find_spec("wagtail.api.v3"):
    v3 = import_module("wagtail.api.v3.urls").api
    urlpatterns.append(path("v3/", v3.urls))
urlpatterns += tests_urls

from importlib import import_module
from importlib.util import find_spec

from django.http import HttpRequest, JsonResponse
from django.urls import path
from wagtail.api.v2.router import WagtailAPIRouter
from wagtail.api.v2.views import PagesAPIViewSet

from tests.urls import urlpatterns as tests_urls
from wagtail_smartgift.models import VoucherProduct


def plain(request: HttpRequest) -> JsonResponse:
    """What there is to beat: everything that the row has, and nothing more."""
    return JsonResponse({"items": list(VoucherProduct.objects.values())})


v2 = WagtailAPIRouter("wagtailapi")
v2.register_endpoint("pages", PagesAPIViewSet)
urlpatterns = [path("plain/", plain), path("v2/", v2.urls)]
if find_spec("wagtail.api.v3"):
    v3 = import_module("wagtail.api.v3.urls").api
    urlpatterns.append(path("v3/", v3.urls))
urlpatterns += tests_urls

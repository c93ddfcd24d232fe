"""The addresses of a host with an API of its own, which has our routers in it.

Beside it stand Wagtail's API v3, where there is one, and our own API: three of a kind.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError
from ninja.security import HttpBearer

from wagtail_smartgift import payments
from wagtail_smartgift.api import server, storefront
from wagtail_smartgift.api.mounting import install


class HostAuth(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> str | None:
        return "staff" if token == "staff-token" else None


class BasketIn(Schema):
    lines: int


#: Whatever is not said otherwise needs the host's own credential.
api = NinjaAPI(title="The host's shop", version="2.1", auth=HostAuth())


@api.get("basket", operation_id="getBasket")
def basket(request: HttpRequest) -> Any:
    return {"lines": 3}


@api.post("basket", operation_id="putBasket")
def put_basket(request: HttpRequest, data: BasketIn) -> Any:
    return {"lines": data.lines}


@api.get("till/{reference}", operation_id="payAtTheTill")
def till(request: HttpRequest, reference: str) -> Any:
    return {"status": payments.get_session(reference=reference).status}


@api.get("teapot", operation_id="getTeapot")
def teapot(request: HttpRequest) -> Any:
    raise HttpError(418, "short and stout")


@api.exception_handler(ValidationError)
def in_the_hosts_words(request: HttpRequest, error: ValidationError) -> JsonResponse:
    return JsonResponse({"oh": "no"}, status=400)


api.add_router("gifts/", storefront.router, url_name_prefix="gifts")
api.add_router("gifts/server/", server.router, url_name_prefix="gifts_server")
install(api)

urlpatterns = [
    path("host/", api.urls),
    path("smartgift/", include("wagtail_smartgift.urls")),
]
if find_spec("wagtail.api.v3"):
    urlpatterns.append(path("v3/", import_module("wagtail.api.v3.urls").api.urls))

"""A shop whose pages are the voucher field, or an order, and nothing else."""

from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from tests.urls import urlpatterns as host_urlpatterns
from wagtail_smartgift import payments


PAGE = """{% load smartgift %}<!DOCTYPE html>
<html lang="en"><head><title>Payment</title></head>
<body><main><h1>Payment</h1>{% voucher_field session %}</main></body></html>"""
ORDER = "{% load smartgift %}{% voucher_order reference %}"


def pay(request: HttpRequest, reference: str) -> HttpResponse:
    session = payments.get_session(reference=reference)
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"session": session}, request))


def order(request: HttpRequest, reference: str) -> HttpResponse:
    page = engines["django"].from_string(ORDER)
    return HttpResponse(page.render({"reference": reference}, request))


def news(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"A page for everybody, made once: {uuid4()}")


urlpatterns = [
    path("pay/<str:reference>/", pay),
    path("order/<str:reference>/", order),
    path("news/", news),
    *host_urlpatterns,
]

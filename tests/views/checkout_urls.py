"""A shop whose payment page is the voucher field and nothing else."""

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from tests.urls import urlpatterns as host_urlpatterns
from wagtail_smartgift import payments


PAGE = """{% load smartgift %}<!DOCTYPE html>
<html lang="en"><head><title>Payment</title></head>
<body><main><h1>Payment</h1>{% voucher_field session %}</main></body></html>"""


def pay(request: HttpRequest, reference: str) -> HttpResponse:
    session = payments.get_session(reference=reference)
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"session": session}, request))


urlpatterns = [path("pay/<str:reference>/", pay), *host_urlpatterns]

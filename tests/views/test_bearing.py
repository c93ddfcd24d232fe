"""What every view that voucher numbers come to refuses, whatever the host's settings."""

import pytest
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory
from django.views.debug import technical_500_response

from wagtail_smartgift.views.bearing import bears_numbers


#: In parts, since error pages show source code as well.
NUMBER = "-".join(("GOOD", "0050", "0001"))


def plain(request):
    """Answer, or break off with a number in hand."""
    number = request.POST.get("voucher_no", "")
    if number:
        raise RuntimeError("a fault of our own")
    return HttpResponse("answered")


view = bears_numbers(["GET", "POST"])(plain)


class FromThisSite(RequestFactory):
    """Makes requests as our own forms do."""

    def request(self, **values):
        request = super().request(**values)
        # As Django's test client does it.
        request._dont_enforce_csrf_checks = True
        return request


@pytest.fixture
def requests():
    return FromThisSite()


def test_no_cache_keeps_what_it_answers(requests):
    answer = view(requests.get("/"))

    assert answer.content == b"answered"
    assert {"no-store", "private"} <= set(answer["Cache-Control"].split(", "))


def test_other_methods_are_refused(requests):
    answer = view(requests.put("/"))

    assert answer.status_code == 405
    assert answer["Allow"] == "GET, POST"


def test_another_site_sends_nothing_here():
    answer = view(RequestFactory().post("/"))

    assert answer.status_code == 403


def test_it_needs_no_login_where_every_other_view_does(requests):
    middleware = LoginRequiredMiddleware(plain)
    request = requests.get("/")
    request.user = AnonymousUser()

    assert middleware.process_view(request, view, (), {}) is None
    assert middleware.process_view(request, plain, (), {}).status_code == 302


def test_a_request_of_its_own_is_no_transaction():
    # What a host's ATOMIC_REQUESTS looks for.
    assert view._non_atomic_requests == {"default"}


def test_a_crash_shows_no_number_even_on_the_debug_page(requests, settings):
    settings.DEBUG = True
    request = requests.post("/", {"voucher_no": NUMBER})

    with pytest.raises(RuntimeError) as error:
        view(request)
    page = technical_500_response(request, *error._excinfo).content.decode()

    assert "a fault of our own" in page
    assert NUMBER not in page


def test_the_debug_page_shows_the_number_of_any_other_view(requests, settings):
    # So that the test above can fail.
    settings.DEBUG = True
    request = requests.post("/", {"voucher_no": NUMBER})

    with pytest.raises(RuntimeError) as error:
        plain(request)
    page = technical_500_response(request, *error._excinfo).content.decode()

    assert NUMBER in page

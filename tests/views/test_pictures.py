"""Where a picture is made: for the browser that asks, by one of all that ask at once."""

import threading
from urllib.parse import unquote

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from wagtail.images import get_image_model
from wagtail.images.models import Filter, Rendition

from tests.albums import INDEX, LAZY, MARKS, dress, get, sources
from tests.factories import make_index, make_site
from wagtail_smartgift.services import renditions


pytestmark = MARKS


@pytest.fixture
def index():
    return make_index(make_site())


def test_a_browser_that_asks_has_it_made(client, index, settings):
    dress(index, 1, 1)
    address = sources(get(client, INDEX))[0]
    without = settings.MIDDLEWARE
    settings.MIDDLEWARE = [
        *without,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    first, again = client.get(address), client.get(address)

    made = Rendition.objects.get()
    for response in (first, again):
        assert (response.status_code, response["Location"]) == (302, made.url)
        assert response["Cache-Control"] == "max-age=60, private"
        assert "Set-Cookie" not in response.headers
    settings.MIDDLEWARE = without
    # The page leads straight to it now.
    there = sources(get(client, INDEX))
    assert there[0] == made.url
    assert len(there) == len(set(there)) + 1  # The smallest is the fallback as well.
    assert sum(one.startswith("/media/") for one in there) == 1


def test_only_what_a_page_has_signed_is_made(client, index):
    dress(index, 1, 2)
    address = sources(get(client, INDEX))[0]
    _empty, _prefix, _pictures, signature, image, spec, _end = address.split("/")

    for other in (
        f"{LAZY}{signature}/{int(image) + 1}/{spec}/",
        f"{LAZY}{signature}/{image}/width-1/",
        f"{LAZY}nonsense/{image}/{spec}/",
    ):
        assert client.get(other).status_code == 403
    assert client.post(address).status_code == 405
    assert not Rendition.objects.exists()


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_picture_that_is_lost_or_broken_is_gone(client, index, content):
    dress(index, 1, 1)
    file = get_image_model().objects.get().file
    file.storage.delete(file.name)
    if content:
        with file.storage.open(file.name, "wb") as place:
            place.write(content)

    response = client.get(sources(get(client, INDEX))[0])

    assert response.status_code == 410
    assert response["Cache-Control"] == "max-age=60, private"


def claim_of(address):
    """Return how one who makes the picture at an address keeps others from it."""
    *_start, spec, _end = address.split("/")
    image = get_image_model().objects.get()
    wanted = Filter(spec=unquote(spec))
    key = Rendition.construct_cache_key(image, wanted.get_cache_key(image), wanted.spec)
    return f"smartgift-making-{key}"


def test_one_that_another_makes_is_to_be_asked_for_again(client, index, monkeypatch):
    monkeypatch.setattr(renditions, "PATIENCE", 0.0)
    dress(index, 1, 1)
    address = sources(get(client, INDEX))[0]
    cache.add(claim_of(address), True)

    try:
        response = client.get(address)
    finally:
        cache.delete(claim_of(address))

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "no-store" in response["Cache-Control"]
    assert not Rendition.objects.exists()
    assert client.get(address).status_code == 302
    # Nobody is kept from it any longer.
    assert cache.get(claim_of(address)) is None


def test_a_process_makes_few_at_once(client, index, monkeypatch):
    monkeypatch.setattr(renditions, "PATIENCE", 0.0)
    dress(index, 1, 1)
    address = sources(get(client, INDEX))[0]
    for _turn in range(renditions.AT_ONCE):
        renditions._turns.acquire()

    try:
        assert client.get(address).status_code == 503
    finally:
        for _turn in range(renditions.AT_ONCE):
            renditions._turns.release()

    assert client.get(address).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_one_makes_it(client, index, media):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no in-memory database; needs a file or a server")
    dress(index, 1, 1, size=(2400, 1600))
    address = sources(get(client, INDEX))[0]
    start = threading.Barrier(5)
    answers = []

    def ask():
        start.wait()
        try:
            response = Client().get(address)
            answers.append((response.status_code, response["Location"]))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert answers == [(302, Rendition.objects.get().url)] * 5
    assert len(list((media / "images").iterdir())) == 1

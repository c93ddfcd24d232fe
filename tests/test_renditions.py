"""Pictures: no page makes one, and where each of them is."""

import io
import re

import pytest
from django.core.files.images import ImageFile
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches
from PIL import Image
from wagtail.images import get_image_model
from wagtail.images.models import Rendition
from wagtail.images.tests.utils import (
    get_test_image_file_jpeg,
    get_test_image_file_svg,
)

from tests.albums import (
    FORMATS,
    INDEX,
    LAZY,
    MARKS,
    PAGE,
    dress,
    get,
    make_image,
    sources,
)
from tests.factories import make_index, make_site
from wagtail_smartgift import renditions


pytestmark = MARKS


@pytest.fixture
def index():
    return make_index(make_site())


@pytest.mark.parametrize("address", [INDEX, PAGE])
def test_a_first_visit_makes_no_picture(client, index, media, address):
    body = [("picture", make_image("in the text"))]
    dress(index, 1, 3, body=body)

    html = get(client, address)

    assert not Rendition.objects.exists()
    assert {path.name for path in media.iterdir()} == {"original_images"}
    # It looks as it will: every format, every width, and the picture's place.
    kinds = re.findall(r'<source [^>]*type="image/(\w+)"', html)
    assert set(kinds) == ({"avif", "webp"} if FORMATS == 3 else {"webp"})
    assert all(address.startswith(LAZY) for address in sources(html))
    for picture in re.findall(r"<img [^>]+>", html):
        assert 'width="480"' in picture
        assert re.search(r'height="(320|384)"', picture)


def test_another_part_of_a_picture_is_another_picture(client, index):
    dress(index, 1, 1)
    call_command("smartgift_pictures", verbosity=0)
    image = get_image_model().objects.get()

    image.focal_point_x = image.focal_point_y = 100
    image.focal_point_width = image.focal_point_height = 50
    image.save()

    assert all(one.startswith(LAZY) for one in sources(get(client, PAGE)))


def upright(size):
    """Return the file of a photograph that its camera has laid on its side."""
    picture = Image.new("RGB", size, "green")
    exif = picture.getexif()
    exif[274] = 6
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    return ImageFile(file, "upright.jpg")


@pytest.mark.parametrize("shapes", [renditions.PAGE_SHAPES, renditions.BODY_SHAPES])
@pytest.mark.parametrize(
    "make_file",
    [
        lambda: get_test_image_file_jpeg(size=(1500, 1000)),
        lambda: get_test_image_file_jpeg(size=(301, 203)),
        get_test_image_file_svg,
    ],
    ids=["large", "small", "drawing"],
)
def test_the_place_that_is_kept_is_the_pictures(shapes, make_file):
    image = make_image(file=make_file())

    expected = renditions.renditions_of(image, renditions.picture_specs(shapes))

    assert len(expected) == 3 * (1 if image.is_svg() else FORMATS)
    for spec, one in expected.items():
        made = image.get_rendition(spec)
        assert (one.width, one.height) == (made.width, made.height), spec


def test_a_photograph_on_its_side_has_its_place_once_one_is_made():
    image = make_image(file=upright((600, 450)))
    filters = renditions.picture_specs(renditions.BODY_SHAPES)
    for width in (480, 960, 1440):
        image.get_rendition(f"format-jpeg|width-{width}")

    found = renditions.renditions_of(image, filters)

    for one in found.values():
        assert one.height == one.width / 3 * 4


def test_queries_do_not_grow_with_what_is_missing(client, index):
    def cost():
        client.get(INDEX)
        with CaptureQueriesContext(connection) as queries:
            client.get(INDEX)
        return len(queries)

    dress(index, 1, 2)
    few = cost()
    dress(index, 3, 12)

    assert cost() == few
    call_command("smartgift_pictures", verbosity=0)
    assert cost() == few


# A card that a host shows in other shapes


@pytest.fixture
def other_cards(settings, tmp_path):
    """Replace the picture of a card by one in shapes of the host's own."""
    place = tmp_path / "templates" / "wagtail_smartgift"
    place.mkdir(parents=True)
    (place / "card.html").write_text(
        '{% extends "wagtail_smartgift/card.html" %}{% load smartgift_catalogue %}'
        "{% block card_picture %}"
        '{% responsive_picture card.page.image "fill-{300x200,600x400}" %}'
        "{% endblock %}"
    )
    [engine] = settings.TEMPLATES
    folders = [place.parent, *engine["DIRS"]]
    settings.TEMPLATES = [{**engine, "DIRS": folders}]


def test_a_card_of_another_shape_leads_to_its_files(client, index, other_cards):
    dress(index, 1, 2)
    specs = renditions.picture_specs("fill-{300x200,600x400}")
    for image in get_image_model().objects.all():
        for one in renditions.stored_filters(specs, is_svg=False):
            image.get_rendition(one)

    with CaptureQueriesContext(connection) as queries:
        found = sources(get(client, INDEX))

    assert len(found) == 2 * (2 * FORMATS + 1)
    assert all(one.startswith("/media/") for one in found)
    # What a list has not read is read for each of its cards, all formats at once.
    asked = [one for one in queries if 'FROM "wagtailimages_rendition"' in one["sql"]]
    assert len(asked) == 1 + 2


# Wagtail's cache


@pytest.fixture
def kept(settings):
    """Have a cache of renditions that counts what is written to it."""
    settings.CACHES = {
        **settings.CACHES,
        "renditions": {"BACKEND": "tests.albums.CountingCache"},
    }
    cache = Rendition.cache_backend
    yield cache
    cache.clear()


def test_only_what_was_read_from_the_database_is_kept(index, kept):
    image = make_image()
    specs = renditions.picture_specs("width-480")
    for spec in specs:
        image.get_rendition(spec)
    kept.clear()

    for number in (FORMATS, 0):
        kept.written = 0
        with CaptureQueriesContext(connection) as queries:
            found = renditions.renditions_of(image, specs)
        assert kept.written == number
        assert len(queries) == (1 if number else 0)
        assert all(one.pk and one.image is image for one in found.values())


# A host that has not mounted our addresses


def test_without_addresses_of_ours_a_page_makes_them(rf, settings):
    settings.ROOT_URLCONF = "tests.urls_i18n"
    clear_url_caches()
    image = make_image()

    found = renditions.renditions_of(image, renditions.picture_specs("width-480"))

    assert Rendition.objects.count() == len(found) == FORMATS
    assert not any(LAZY in one.url for one in found.values())

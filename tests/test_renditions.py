"""Pictures: no page makes one, and each is made once, when a browser asks for it."""

import gc
import io
import re
from html import unescape
from urllib.parse import urlsplit

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

from tests.factories import make_index, make_product, make_site, make_voucher_page
from wagtail_smartgift import renditions, tasks


pytestmark = [
    pytest.mark.django_db,
    # Wagtail leaves the files of new renditions to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]

INDEX, PAGE = "/gift-vouchers/", "/gift-vouchers/dressed-1/"
#: Where a picture is made.
LAZY = "/smartgift/pictures/"
FORMATS = len(renditions.picture_filters("width-480"))


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    yield tmp_path
    gc.collect()


@pytest.fixture
def index():
    return make_index(make_site())


def make_image(name="mill", size=(500, 400), file=None):
    return get_image_model().objects.create(
        title=name, file=file or get_test_image_file_jpeg(f"{name}.jpg", size=size)
    )


def dress(index, first, last, **values):
    """Make vouchers with a page and a picture of its own each."""
    for number in range(first, last + 1):
        image = make_image(f"picture-{number}")
        make_voucher_page(index, make_product(number), image=image, **values)


def sources(html):
    """Return every address of a picture in a page, those of networks among them."""
    found = re.findall(r'(?:src|srcset|content)="([^"]*)"', html)
    return [
        urlsplit(address.split()[0]).path
        for text in found
        for address in unescape(text).split(", ")
        if LAZY in address or "/media/" in address
    ]


def get(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


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


def test_a_browser_that_asks_has_it_made_once(client, index, settings):
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
        assert response["Cache-Control"] == "max-age=60, public"
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


def test_a_lost_file_is_a_gap_in_the_page(client, index):
    dress(index, 1, 1)
    image = get_image_model().objects.get()
    image.file.storage.delete(image.file.name)

    html = get(client, PAGE)

    assert [client.get(one).status_code for one in sources(html)[:1]] == [410]


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

    expected = renditions.renditions_of(image, renditions.picture_filters(shapes))

    assert len(expected) == 3 * (1 if image.is_svg() else FORMATS)
    for spec, one in expected.items():
        made = image.get_rendition(spec)
        assert (one.width, one.height) == (made.width, made.height), spec


def test_a_photograph_on_its_side_has_its_place_once_one_is_made():
    image = make_image(file=upright((600, 450)))
    filters = renditions.picture_filters(renditions.BODY_SHAPES)
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


# Before anybody asks


def test_a_command_makes_all_that_pages_show(client, index, capsys):
    body = [("picture", make_image("in the text"))]
    dress(index, 1, 2, body=body)
    make_voucher_page(index, make_product(3), image=make_image("draft"), live=False)
    index.body = [("heading", "More"), *body]
    index.save()

    call_command("smartgift_pictures")
    call_command("smartgift_pictures")

    # Two pages' pictures, what networks show of them, and the one in the text.
    number = 2 * (3 * FORMATS + 1) + 3 * FORMATS
    assert capsys.readouterr().out == f"made: {number}\nmade: 0\n"
    for address in (INDEX, PAGE):
        html = get(client, address)
        assert sources(html)
        assert not any(one.startswith(LAZY) for one in sources(html))
        assert 'type="image/webp"' in html


def test_the_command_goes_on_after_a_picture_that_is_broken(index, caplog, capsys):
    dress(index, 1, 2)
    image = get_image_model().objects.earliest("pk")
    with image.file.storage.open(image.file.name, "wb") as file:
        file.write(b"no picture")
    drawing = make_image(file=get_test_image_file_svg())
    make_voucher_page(index, make_product(3), image=drawing)

    call_command("smartgift_pictures", verbosity=2)

    number = 3 * FORMATS + 1
    assert capsys.readouterr().out == (
        f"Dressed 2: {number}\nDressed 3: 3\nmade: {number + 3}\n"
    )
    assert f"Image {image.pk} cannot be shown" in caplog.text


def test_a_worker_makes_them_when_a_page_is_published(
    client, index, settings, monkeypatch, django_capture_on_commit_callbacks
):
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}
    }
    dress(index, 1, 1)
    page = index.get_children().get().specific
    asked = []
    monkeypatch.setattr(
        "wagtail_smartgift.services.nudges._enqueue",
        lambda task, args: asked.append((task, args)),
    )

    with django_capture_on_commit_callbacks(execute=True):
        page.save_revision().publish()
        index.get_parent().save_revision().publish()  # No page of ours.

    label = "wagtail_smartgift.VoucherPage"
    assert asked == [("make_renditions", (label, page.pk))]
    assert not Rendition.objects.exists()
    assert tasks.make_renditions.call(label, page.pk) == 3 * FORMATS + 1
    assert not any(one.startswith(LAZY) for one in sources(get(client, PAGE)))
    assert tasks.make_renditions.call(label, page.pk) == 0
    page.delete()
    assert tasks.make_renditions.call(label, page.pk) == 0


def test_an_editor_without_a_worker_does_not_wait_for_them(
    index, django_capture_on_commit_callbacks
):
    dress(index, 1, 1)

    with django_capture_on_commit_callbacks(execute=True):
        index.get_children().get().specific.save_revision().publish()

    assert not Rendition.objects.exists()


# A host that has not mounted our addresses


def test_without_addresses_of_ours_a_page_makes_them(rf, settings):
    settings.ROOT_URLCONF = "tests.urls_i18n"
    clear_url_caches()
    image = make_image()

    found = renditions.renditions_of(image, renditions.picture_filters("width-480"))

    assert Rendition.objects.count() == len(found) == FORMATS
    assert not any(LAZY in one.url for one in found.values())

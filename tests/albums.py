"""Vouchers with pictures of their own, and the addresses of pictures in a page."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.core.cache.backends.locmem import LocMemCache
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file_jpeg

from tests.factories import make_product, make_voucher_page
from wagtail_smartgift import renditions


INDEX, PAGE = "/gift-vouchers/", "/gift-vouchers/dressed-1/"
#: Where a picture is made.
LAZY = "/smartgift/pictures/"
#: For each file of tests that has pictures made.
MARKS = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("media"),
    # Wagtail leaves the files of new renditions to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]
FORMATS = len(renditions.picture_specs("width-480"))


def make_image(name="mill", size=(500, 400), file=None):
    return get_image_model().objects.create(
        title=name, file=file or get_test_image_file_jpeg(f"{name}.jpg", size=size)
    )


def dress(index, first, last, size=(500, 400), **values):
    """Make vouchers with a page and a picture of its own each."""
    for number in range(first, last + 1):
        image = make_image(f"picture-{number}", size)
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


class CountingCache(LocMemCache):
    """Counts what is written to it at once with others."""

    written = 0

    def set_many(self, data, *args, **values):
        self.written += len(data)
        return super().set_many(data, *args, **values)

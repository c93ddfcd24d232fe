"""``smartgift_pictures``: all pictures, before anybody asks."""

import pytest
from django.core.management import CommandError, call_command
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file_svg

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
from tests.factories import make_index, make_product, make_site, make_voucher_page


pytestmark = MARKS


@pytest.fixture
def index():
    return make_index(make_site())


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

    with pytest.raises(CommandError, match="Some cannot be made"):
        call_command("smartgift_pictures", verbosity=2)

    number = 3 * FORMATS + 1
    assert capsys.readouterr().out == (
        f"Dressed 1: 0\nDressed 2: {number}\nDressed 3: 3\n"
        f"made: {number + 3}\nfailed: {number}\n"
    )
    assert (
        f"Image {image.pk} cannot be shown as format-webp|fill-480x320: "
        "UnrecognisedImageFormatError"
    ) in caplog.text

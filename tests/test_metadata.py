"""What search engines and networks are told of a voucher's page."""

import gc
import json
import re
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.sites.requests import RequestSite
from django.db import connection
from django.template import RequestContext, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches
from django.utils import timezone
from wagtail.contrib.sitemaps import Sitemap
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file, get_test_image_file_svg

from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift.models import VoucherPage, VoucherProduct


pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]

HOST = "http://localhost"


@pytest.fixture
def site():
    site = make_site()
    site.site_name = "The Old Mill"
    site.save()
    return site


@pytest.fixture
def index(site):
    return make_index(site)


@pytest.fixture
def image(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    yield get_image_model().objects.create(
        title="The mill",
        description="The mill in May",
        file=get_test_image_file(size=(1600, 900)),
    )
    gc.collect()


def head_of(client, path):
    response = client.get(path, HTTP_HOST="localhost")
    assert response.status_code == 200
    return response.content.decode().partition("</head>")[0]


def metadata_of(page):
    """Write the tags of a page alone."""
    request = RequestFactory().get("/", HTTP_HOST="localhost")
    template = Template("{% load smartgift_catalogue %}{% voucher_metadata %}")
    return template.render(RequestContext(request, {"page": page}))


def tags(html):
    return {
        name: unescape(content)
        for name, content in re.findall(
            r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', html
        )
    }


def schema(html):
    [text] = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL
    )
    return json.loads(text)


def test_a_monetary_voucher_is_offered_from_the_least_to_the_most(client, index):
    make_product(title="Money & more", image_url="https://images.example/37.jpg")
    url = f"{HOST}/gift-vouchers/p/37/"

    head = head_of(client, "/gift-vouchers/p/37/")

    assert schema(head) == {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": "Money & more",
        "sku": "37",
        "category": "Gift voucher",
        "description": "For the mill.",
        "url": url,
        "image": ["https://images.example/37.jpg"],
        "offers": {
            "@type": "AggregateOffer",
            "lowPrice": "10.00",
            "highPrice": "40.00",
            "priceCurrency": "GBP",
            "availability": "https://schema.org/InStock",
            "url": url,
        },
    }
    assert tags(head) == {
        "og:type": "product",
        "og:title": "Money & more",
        "og:description": "For the mill.",
        "og:url": url,
        "og:site_name": "The Old Mill",
        "og:locale": "en_GB",
        "og:image": "https://images.example/37.jpg",
        "product:price:amount": "10.00",
        "product:price:currency": "GBP",
        "twitter:card": "summary_large_image",
    }


def test_a_dressed_one_is_told_in_the_editors_words(client, index, image):
    product = make_product(
        max_amount=Decimal("10.00"), image_url="https://images.example/37.jpg"
    )
    page = make_voucher_page(
        index,
        product,
        title="For the ones you love",
        introduction="<p>Come &amp; stay.</p><p>Now.</p>",
        image=image,
    )

    head = head_of(client, page.url)

    told = schema(head)
    assert told["name"] == "For the ones you love"
    assert told["description"] == "Come & stay. Now."
    assert told["url"] == f"{HOST}/gift-vouchers/dressed-37/"
    assert told["offers"]["@type"] == "Offer"
    assert told["offers"]["price"] == "10.00"
    found = tags(head)
    assert found["og:image"] == told["image"][0]
    # Where it is made for the network that asks for it.
    assert found["og:image"].startswith(f"{HOST}/smartgift/pictures/")
    assert (found["og:image:width"], found["og:image:height"]) == ("1200", "630")
    assert found["og:image:alt"] == "The mill in May"

    page.seo_title, page.search_description = "A gift", "Short and good."
    page.save()
    found = tags(head_of(client, page.url))
    assert (found["og:title"], found["og:description"]) == ("A gift", "Short and good.")


@pytest.mark.parametrize(
    ("values", "offer"),
    [
        ({}, {"lowPrice": "59.00", "highPrice": "177.00"}),
        ({"persons_min": None, "persons_max": None}, {"price": "29.50"}),
        ({"persons_min": 2, "persons_max": 2}, {"price": "59.00"}),
    ],
)
def test_an_experience_costs_what_its_party_pays(client, index, values, offer):
    make_experience(**values)

    found = schema(head_of(client, "/gift-vouchers/p/39/"))["offers"]

    assert offer.items() <= found.items()


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"available_count": 100}, "InStock"),
        ({"available_count": 3}, "LimitedAvailability"),
        ({"available_count": 0}, "SoldOut"),
        ({"status": "hidden"}, "InStock"),
        ({"status": "at_counter_only"}, "InStoreOnly"),
        ({"status": "disabled"}, "OutOfStock"),
        ({"gone_at": timezone.now()}, "Discontinued"),
    ],
)
def test_availability_is_told_as_it_is(client, index, values, word):
    make_product(**values)

    offer = schema(head_of(client, "/gift-vouchers/p/37/"))["offers"]

    assert offer["availability"] == f"https://schema.org/{word}"


def test_another_companys_product_is_no_offer_of_ours(client, index):
    page = make_voucher_page(index, make_product(account="other"))

    offer = schema(head_of(client, page.url))["offers"]

    assert offer["availability"] == "https://schema.org/OutOfStock"


def test_what_has_no_price_is_not_offered(client, index):
    make_product(min_amount=None)

    head = head_of(client, "/gift-vouchers/p/37/")

    assert "offers" not in schema(head)
    assert "product:price:amount" not in tags(head)


EVIL = "</script><script>alert(1)</script><!--\u2028 & \"'"


def test_words_of_strangers_stay_words(client, index):
    make_product(title=EVIL, description_html="<p>&lt;/script&gt;&lt;b&gt; & more</p>")

    head = head_of(client, "/gift-vouchers/p/37/")

    assert schema(head)["name"] == EVIL
    assert schema(head)["description"] == "</script><b> & more"
    assert head.count("<script") == 1
    assert head.count("</script") == 1
    assert "<!--" not in head
    assert tags(head)["og:title"] == EVIL


def test_a_long_description_is_cut_between_words_of_an_entity(client, index):
    make_product(description_html=f"<p>{'A word &amp; more. ' * 60}</p>")

    description = tags(head_of(client, "/gift-vouchers/p/37/"))["og:description"]

    assert len(description) == 200
    assert description.endswith("…")


def test_a_drawing_is_no_picture_that_networks_show(client, index, settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    settings.WAGTAILIMAGES_EXTENSIONS = ["png", "svg"]
    drawing = get_image_model().objects.create(
        title="Drawing", file=get_test_image_file_svg()
    )
    page = make_voucher_page(index, make_product(), image=drawing)

    head = head_of(client, page.url)

    assert "og:image" not in tags(head)
    assert "image" not in schema(head)
    assert tags(head)["twitter:card"] == "summary"


@pytest.mark.parametrize("content", [None, b"no picture"], ids=["lost", "broken"])
@pytest.mark.parametrize("mounted", [True, False])
def test_a_lost_or_broken_file_is_no_picture(index, image, settings, content, mounted):
    page = make_voucher_page(index, make_product(), image=image)
    image.file.storage.delete(image.file.name)
    if content:
        with image.file.storage.open(image.file.name, "wb") as file:
            file.write(content)
    if not mounted:
        settings.ROOT_URLCONF = "tests.urls_i18n"
        clear_url_caches()

    head = metadata_of(page)

    assert "og:image" not in tags(head)
    assert "image" not in schema(head)
    assert tags(head)["twitter:card"] == "summary"


def test_a_file_that_breaks_when_it_is_unpacked_is_named_no_more(
    client, index, image, settings
):
    settings.CACHES = {**settings.CACHES, "renditions": settings.CACHES["default"]}
    page = make_voucher_page(index, make_product(), image=image)
    with image.file.storage.open(image.file.name) as file:
        beginning = file.read()[:200]
    with image.file.storage.open(image.file.name, "wb") as file:
        file.write(beginning)
    place = tags(head_of(client, page.url))["og:image"]

    assert client.get(place.removeprefix(HOST)).status_code == 410

    assert "og:image" not in tags(head_of(client, page.url))


def test_the_index_is_a_page_and_no_product(client, index):
    index.search_description = "All of our vouchers."
    index.save()
    make_product()

    head = head_of(client, "/gift-vouchers/")

    assert tags(head) == {
        "og:type": "website",
        "og:title": "Gift vouchers",
        "og:description": "All of our vouchers.",
        "og:url": f"{HOST}/gift-vouchers/",
        "og:site_name": "The Old Mill",
        "og:locale": "en_GB",
        "twitter:card": "summary",
    }
    assert "ld+json" not in head


def test_other_pages_say_nothing(rf, site):
    template = Template("{% load smartgift_catalogue %}{% voucher_metadata %}")
    context = {"page": site.root_page, "product": "a product of the shop's own"}

    assert template.render(RequestContext(rf.get("/"), context)).strip() == ""
    assert template.render(RequestContext(rf.get("/"), {})).strip() == ""


def test_a_page_with_a_template_of_its_own_says_it_with_the_tag(rf, index):
    page = make_voucher_page(index, make_product())
    template = Template("{% load smartgift_catalogue %}{% voucher_metadata %}")
    request = rf.get("/", HTTP_HOST="localhost")

    html = template.render(RequestContext(request, {"page": page}))

    assert schema(html)["sku"] == "37"


# The sitemap


def locations():
    request = RequestFactory().get("/sitemap.xml", HTTP_HOST="localhost")
    urls = Sitemap(request).get_urls(1, RequestSite(request), "http")
    return [url["location"].removeprefix(HOST) for url in urls], urls


def test_the_sitemap_has_what_can_be_bought(site, index):
    make_voucher_page(index, make_product(1))
    plain = make_product(2)
    make_product(3, available_count=0)
    make_product(4, status="hidden")
    make_product(5, gone_at=timezone.now())
    make_product(6, account="other")
    make_voucher_page(index, make_product(7), live=False)
    make_voucher_page(index, make_product(8, available_count=0))

    found, urls = locations()

    assert sorted(found) == [
        "/",
        "/gift-vouchers/",
        "/gift-vouchers/dressed-1/",
        "/gift-vouchers/p/2/",
        "/gift-vouchers/p/7/",
    ]
    [entry] = [url for url in urls if url["location"].endswith("/p/2/")]
    assert entry["lastmod"] == plain.changed_at


def test_a_sitemap_costs_the_same_however_many_pages_it_has(site, index):
    make_voucher_page(index, make_product(1))
    locations()
    with CaptureQueriesContext(connection) as one:
        locations()
    for number in range(2, 12):
        make_voucher_page(index, make_product(number))

    with CaptureQueriesContext(connection) as many:
        found, _urls = locations()

    assert len(found) == 13
    assert len(many) == len(one)
    # Asked about one page alone, it says the same.
    for page in VoucherPage.objects.all():
        assert page.get_sitemap_urls()
    VoucherProduct.objects.update(available_count=0)
    assert not any(page.get_sitemap_urls() for page in VoucherPage.objects.all())


def test_of_two_indexes_one_lists_the_plain_addresses(site, index):
    make_index(site, slug="more-vouchers")
    make_product(2)

    found, _urls = locations()

    assert [path for path in found if "/p/" in path] == ["/gift-vouchers/p/2/"]

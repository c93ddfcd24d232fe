"""The voucher pages as visitors and editors see them."""

import gc
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import GroupPagePermission, Locale, Page
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift import renditions
from wagtail_smartgift.forms import VoucherChoice
from wagtail_smartgift.models import SmartGiftSettings, VoucherPage, VoucherProduct
from wagtail_smartgift.services import voucher_pages


pytestmark = [
    pytest.mark.django_db,
    # Wagtail leaves the files of new renditions to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]

BASKET = []


def add_to_basket(request, choice):
    """The hook of a shop that is as plain as a shop can be."""
    BASKET.append(choice)
    return HttpResponse("in the basket", status=201)


@pytest.fixture
def basket(configure):
    configure(ADD_TO_BASKET="tests.test_pages.add_to_basket")
    BASKET.clear()
    return BASKET


@pytest.fixture
def site():
    return make_site()


@pytest.fixture
def index(site):
    return make_index(site)


@pytest.fixture
def image(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    yield get_image_model().objects.create(
        title="The mill", description="The mill in May", file=get_test_image_file()
    )
    gc.collect()


@pytest.fixture
def editor_client(admin_user):
    client = Client()
    client.force_login(admin_user)
    return client


def text_of(response):
    """Return what the page says, without its tags."""
    html = response.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def robots(response):
    html = response.content.decode()
    in_header = response.headers.get("X-Robots-Tag") == "noindex"
    assert in_header == ('<meta name="robots" content="noindex">' in html)
    return "noindex" if in_header else ""


# The index


def test_the_index_shows_everything_on_sale(client, index):
    make_product(1, title="Money & more")
    make_experience(2, title="Tea", available_count=0)
    make_voucher_page(index, make_product(3), title="In our words")
    make_product(4, title="Secret", status="hidden")
    make_product(5, title="Counter", status="at_counter_only")
    make_product(6, title="Off", status="disabled")
    make_product(7, title="Past", gone_at=timezone.now())
    make_product(8, title="Elsewhere", account="other")

    response = client.get("/gift-vouchers/")

    assert response.status_code == 200
    said = text_of(response)
    assert "Money & more £10.00 to £40.00" in said
    assert "Tea £29.50 a person, for 2 to 6 people Sold out at the moment." in said
    assert "In our words" in said
    assert "Voucher 3" not in said
    for unlisted in ("Secret", "Counter", "Off", "Past", "Elsewhere"):
        assert unlisted not in said
    html = response.content.decode()
    assert 'href="/gift-vouchers/p/1/"' in html
    assert 'href="/gift-vouchers/dressed-3/"' in html
    assert robots(response) == ""


def test_the_index_without_products_says_so(client, index):
    assert "No vouchers are on sale" in text_of(client.get("/gift-vouchers/"))


def test_the_index_is_narrowed_and_searched(client, index):
    make_product(1, title="Money")
    make_experience(2, title="Tea")

    assert "Tea" not in text_of(client.get("/gift-vouchers/?type=monetary"))
    assert "Money" in text_of(client.get("/gift-vouchers/?type=nonsense"))
    found = text_of(client.get("/gift-vouchers/?search=tea"))
    assert "Tea" in found
    assert "Money" not in found
    assert "No voucher fits" in text_of(client.get("/gift-vouchers/?search=%00zz"))


def test_the_index_has_pages(client, index):
    for number in range(101):
        make_product(number + 1, title=f"Number {number:03}")

    first = text_of(client.get("/gift-vouchers/"))
    assert "Number 099" in first
    assert "Number 100" not in first
    assert "Page 1 of 2" in first
    assert "Number 100" in text_of(client.get("/gift-vouchers/?page=2"))
    assert client.get("/gift-vouchers/?page=x").status_code == 200


def queries_of(client, url):
    """Count what a visit costs once Wagtail's own caches are warm."""
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


@pytest.mark.parametrize("with_pictures", [False, True])
def test_the_index_costs_the_same_however_long(
    client, index, image, with_pictures, monkeypatch
):
    monkeypatch.setattr("wagtail_smartgift.views.vouchers.PAGE_SIZE", 1000)
    picture = image if with_pictures else None
    for number in range(3):
        make_voucher_page(index, make_product(number + 1), image=picture)
    few = queries_of(client, "/gift-vouchers/")

    for number in range(3, 200):
        product = make_product(number + 1)
        if number < 15:
            make_voucher_page(index, product, image=picture)
    many = queries_of(client, "/gift-vouchers/")

    assert many == few <= 18
    assert len(client.get("/gift-vouchers/").context["cards"]) == 200


# One product


def test_a_plain_product_says_what_it_is(client, index, basket):
    make_experience(title="Tea <for> two", image_url="https://images.example/39.jpg")

    response = client.get("/gift-vouchers/p/39/")

    assert response.status_code == 200
    assert response.templates[0].name == "wagtail_smartgift/voucher_page.html"
    html = response.content.decode()
    assert "<title>Tea &lt;for&gt; two</title>" in html
    assert '<img src="https://images.example/39.jpg" width="960"' in html
    assert "<p>For the mill.</p>" in html
    assert '<form class="smartgift-form smartgift-purchase"' in html
    assert robots(response) == ""


def test_a_page_shows_the_editors_words_and_the_products_price(
    client, index, basket, image
):
    product = make_product(image_url="https://images.example/37.jpg")
    make_voucher_page(
        index,
        product,
        title="For the ones you love",
        introduction="<p>Come and stay.</p>",
        image=image,
        body=[
            ("heading", "What is in it"),
            ("text", "<p>Everything.</p>"),
            ("quote", {"text": "Lovely.", "source": "A guest"}),
        ],
    )

    response = client.get("/gift-vouchers/dressed-37/")

    said = text_of(response)
    assert "For the ones you love £10.00 to £40.00 Come and stay." in said
    assert "What is in it Everything. Lovely. A guest" in said
    assert "Voucher 37" not in said
    html = response.content.decode()
    assert "<picture>" in html
    assert "images.example" not in html

    VoucherProduct.objects.update(max_amount=Decimal("75.00"), increment=Decimal(5))
    assert "£10.00 to £75.00" in text_of(client.get("/gift-vouchers/dressed-37/"))


def test_a_dressed_product_is_only_at_its_page(client, index):
    page = make_voucher_page(index, make_product())

    response = client.get("/gift-vouchers/p/37/")
    assert response.status_code == 301
    assert response.url == "/gift-vouchers/dressed-37/"

    page.unpublish()
    assert client.get("/gift-vouchers/p/37/").status_code == 200


def test_languages_have_their_own_pages(client, site, index, settings):
    settings.ROOT_URLCONF = "tests.urls_i18n"
    english = make_voucher_page(index, make_product())
    welsh = Locale.objects.create(language_code="cy")
    home = site.root_page.copy_for_translation(welsh)
    home.save_revision().publish()
    translated = index.copy_for_translation(welsh)
    translated.save_revision().publish()
    translated.refresh_from_db()

    # The English page is no translation of the product's page in Welsh.
    assert translated.url == "/cy/gift-vouchers/"
    response = client.get("/cy/gift-vouchers/p/37/")
    assert response.status_code == 200

    dressed = english.copy_for_translation(welsh)
    dressed.save_revision().publish()
    dressed.refresh_from_db()
    response = client.get("/cy/gift-vouchers/p/37/")
    assert (response.status_code, response.url) == (
        301,
        "/cy/gift-vouchers/dressed-37/",
    )
    response = client.get("/en-gb/gift-vouchers/p/37/")
    assert (response.status_code, response.url) == (301, english.url)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"available_count": 0}, "Sold out at the moment."),
        ({"status": "disabled"}, "This voucher is not on sale at the moment."),
        ({"status": "unknown"}, "This voucher is not on sale at the moment."),
        ({"status": "at_counter_only"}, "This voucher is only sold at our counter."),
        ({"gone_at": timezone.now()}, "This voucher is no longer sold."),
        ({"min_amount": None}, "This voucher is not on sale at the moment."),
    ],
)
@pytest.mark.parametrize("dressed", [False, True])
def test_off_sale_says_so_and_cannot_be_bought(
    client, index, basket, values, sentence, dressed
):
    product = make_product(**values)
    url = "/gift-vouchers/p/37/"
    if dressed:
        url = make_voucher_page(index, product).url

    response = client.get(url)

    assert response.status_code == 200
    assert sentence in text_of(response)
    assert "<form" not in response.content.decode()
    assert 'href="/gift-vouchers/">See all vouchers</a>' in response.content.decode()
    assert robots(response) == "noindex"

    response = client.post(url, {"amount": "20.00", "delivery_method": "1"})
    assert response.status_code == 200
    assert "Nothing was added to your basket" in text_of(response)
    assert basket == []


def test_hidden_is_reachable_and_sold_but_not_listed(client, index, basket):
    make_product(status="hidden", title="Secret")

    assert "Secret" not in text_of(client.get("/gift-vouchers/"))
    response = client.get("/gift-vouchers/p/37/")
    assert response.status_code == 200
    assert "<form" in response.content.decode()
    assert robots(response) == "noindex"


@pytest.mark.parametrize("number", ["99", "0", "9" * 30])
def test_what_was_never_known_is_not_found(client, index, number):
    make_product(38, account="other")

    assert client.get(f"/gift-vouchers/p/{number}/").status_code == 404
    assert client.get("/gift-vouchers/p/38/").status_code == 404


def test_a_page_of_another_companys_product_sells_nothing(client, index, basket):
    make_voucher_page(index, make_product(account="other"))

    response = client.get("/gift-vouchers/dressed-37/")

    assert "not on sale" in text_of(response)
    assert "<form" not in response.content.decode()


def test_the_last_ones_are_counted(client, index, basket):
    make_product(available_count=2)

    assert "Only 2 left." in text_of(client.get("/gift-vouchers/p/37/"))


def test_a_page_costs_the_same_however_many_there_are(client, index, basket):
    page = make_voucher_page(index, make_product())
    make_product(150)
    few = [queries_of(client, url) for url in (page.url, "/gift-vouchers/p/150/")]

    for number in range(200, 300):
        make_product(number)
    many = [queries_of(client, url) for url in (page.url, "/gift-vouchers/p/150/")]

    assert many == few
    assert max(many) <= 12


def test_a_visitor_makes_no_call_to_anybody(client, index, basket, socket_disabled):
    page = make_voucher_page(index, make_product())
    make_product(150)

    for url in ("/gift-vouchers/", page.url, "/gift-vouchers/p/150/"):
        assert client.get(url).status_code == 200
    bought = client.post(page.url, {"amount": "20", "delivery_method": "1"})
    assert bought.status_code == 201


# Buying


@pytest.mark.parametrize("dressed", [False, True])
def test_a_choice_goes_into_the_basket(client, index, basket, dressed):
    product = make_experience(title="Tea")
    url = "/gift-vouchers/p/39/"
    if dressed:
        url = make_voucher_page(index, product).url

    response = client.post(url, {"persons": "3", "to": "Ada", "delivery_method": "2"})

    assert (response.status_code, response.content) == (201, b"in the basket")
    assert basket == [
        VoucherChoice(
            product_id=39,
            title="Tea",
            price=Decimal("88.50"),
            persons=3,
            to="Ada",
            sender="",
            message="",
            delivery_method="2",
            delivery_date=None,
        )
    ]


def test_a_wrong_choice_is_explained_and_kept(client, index, basket):
    make_product()
    yesterday = timezone.localdate() - timedelta(days=1)

    response = client.post(
        "/gift-vouchers/p/37/",
        {"amount": "15", "to": "Ada", "delivery_date": yesterday.isoformat()},
    )

    assert basket == []
    assert response.status_code == 200
    html = response.content.decode()
    assert 'role="alert"' in html
    assert 'href="#smartgift-amount_0"' in html
    assert 'href="#smartgift-delivery_method_0"' in html
    assert 'aria-describedby="smartgift-amount_error"' in html
    assert 'value="Ada"' in html
    said = text_of(response)
    assert "Please check:" in said
    assert "in steps of £10.00" in said
    assert "This day has passed." in said
    assert "Choose how the voucher is sent." in said


def test_the_price_is_the_products_when_the_choice_is_sent(client, index, basket):
    make_experience()
    client.get("/gift-vouchers/p/39/")
    VoucherProduct.objects.update(price=Decimal("40.00"))

    client.post("/gift-vouchers/p/39/", {"persons": "2", "delivery_method": "1"})

    assert basket[0].price == Decimal("80.00")


def test_buying_needs_the_token_of_the_form(index, basket):
    make_product()

    response = Client(enforce_csrf_checks=True).post(
        "/gift-vouchers/p/37/", {"amount": "20", "delivery_method": "1"}
    )

    assert response.status_code == 403
    assert basket == []


def test_without_a_basket_there_is_no_form(client, index):
    make_product()

    response = client.get("/gift-vouchers/p/37/")

    assert response.status_code == 200
    assert "<form" not in response.content.decode()
    assert robots(response) == ""
    assert client.post("/gift-vouchers/p/37/", {"amount": "20"}).status_code == 200


def test_pages_have_neither_inline_scripts_nor_styles(client, index, basket):
    make_product()
    make_product(38, available_count=0)
    script = '<script type="module" src="/static/wagtail_smartgift/voucher-page.js"></script>'

    for url, scripts in (
        ("/gift-vouchers/", 0),
        ("/gift-vouchers/p/37/", 1),
        # Nothing to fill in, nothing to help with.
        ("/gift-vouchers/p/38/", 0),
    ):
        html = client.get(url).content.decode()
        assert html.count(script) == scripts
        # What is no JavaScript is data, and no policy stops it.
        html = html.replace('<script type="application/ld+json">', "")
        assert "<script" not in html.replace(script, "")
        assert "style=" not in html
        assert "<style" not in html


def test_the_script_has_the_nonce_of_the_policy(index, basket, rf):
    make_product()
    request = rf.get("/gift-vouchers/p/37/")
    request.csp_nonce = "only-once"

    response = index.product_route(request, remote_id=37).render()

    assert 'voucher-page.js" nonce="only-once"></script>' in response.content.decode()


# Caches


def test_a_form_is_kept_by_nobody_but_its_visitor(client, index, basket):
    make_product()
    make_product(38, available_count=0)

    with_form = client.get("/gift-vouchers/p/37/")
    refused = client.post("/gift-vouchers/p/37/", {"amount": "7", "to": "Ada"})

    for response in (with_form, refused):
        assert "csrfmiddlewaretoken" in response.content.decode()
        told = response.headers["Cache-Control"]
        assert {"private", "no-cache"} <= set(told.split(", "))
        assert "Cookie" in response.headers["Vary"]
    # What is the same for everybody is the site's to decide about.
    for url in ("/gift-vouchers/", "/gift-vouchers/p/38/"):
        response = client.get(url)
        assert "csrfmiddlewaretoken" not in response.content.decode()
        assert "Cache-Control" not in response.headers
        assert "Set-Cookie" not in response.headers


# The picture


def test_pictures_come_in_every_format_and_have_their_place(
    client, index, basket, image
):
    make_voucher_page(index, make_product(), image=image)

    for url in ("/gift-vouchers/", "/gift-vouchers/dressed-37/"):
        html = client.get(url).content.decode()
        kinds = re.findall(r'<source [^>]*type="image/(\w+)"', html)
        assert kinds == (["avif", "webp"] if writes_avif() else ["webp"])
        [picture] = re.findall(r"<img [^>]+>", html)
        assert re.search(r'width="\d+"', picture)
        assert re.search(r'height="\d+"', picture)
        assert "sizes=" in picture


def writes_avif():
    Image.init()
    return "AVIF" in Image.SAVE


def test_a_pillow_without_avif_is_asked_for_none(monkeypatch):
    monkeypatch.setattr(Image, "SAVE", {"JPEG": None, "WEBP": None})
    renditions.picture_specs.cache_clear()

    try:
        assert not any("avif" in one for one in renditions.picture_specs("width-480"))
    finally:
        renditions.picture_specs.cache_clear()


# Editors


def page_data(product, **values):
    return nested_form_data(
        {
            "title": "In our words",
            "slug": "in-our-words",
            "product": product.pk,
            "introduction": rich_text("<p>Hello</p>"),
            "image": "",
            "body": streamfield([("heading", "A heading")]),
            "comments": {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0},
            **values,
        }
    )


def add_url(index):
    return reverse(
        "wagtailadmin_pages:add", args=["wagtail_smartgift", "voucherpage", index.pk]
    )


def test_a_page_is_made_by_hand(editor_client, index):
    product = make_product()
    assert editor_client.get(add_url(index)).status_code == 200

    response = editor_client.post(add_url(index), page_data(product))

    page = VoucherPage.objects.get()
    assert response.status_code == 302, text_of(response)
    assert (page.product, page.title) == (product, "In our words")
    edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
    assert editor_client.get(edit).status_code == 200
    assert editor_client.post(edit, page_data(product)).status_code == 302


def test_one_product_has_one_page_per_place(editor_client, index):
    product = make_product()
    make_voucher_page(index, product)

    response = editor_client.post(add_url(index), page_data(product))

    assert response.status_code == 200
    assert "already is this voucher's page here" in text_of(response)


def test_another_companys_product_is_refused(editor_client, index):
    response = editor_client.post(
        add_url(index), page_data(make_product(account="other"))
    )

    assert "belongs to another Smart Gift company" in text_of(response)
    assert not VoucherPage.objects.exists()


def test_a_page_without_a_product_is_refused(editor_client, index):
    data = page_data(make_product())
    data["product"] = ""

    assert editor_client.post(add_url(index), data).status_code == 200
    assert not VoucherPage.objects.exists()


@pytest.mark.parametrize(
    "values", [{}, {"status": "disabled"}, {"gone_at": timezone.now()}]
)
def test_drafts_are_previewed(editor_client, index, basket, values):
    page = make_voucher_page(index, make_product(**values), live=False)
    url = reverse("wagtailadmin_pages:preview_on_edit", args=[page.pk])

    response = editor_client.post(url, page_data(page.product))
    assert response.json()["is_valid"]
    response = editor_client.get(url)

    assert response.status_code == 200
    assert "In our words" in text_of(response)
    assert "A heading" in text_of(response)


def test_the_index_is_previewed(editor_client, index):
    make_product()
    url = reverse("wagtailadmin_pages:preview_on_edit", args=[index.pk])
    data = nested_form_data(
        {
            "title": "All of them",
            "slug": "gift-vouchers",
            "introduction": rich_text(""),
            "body": streamfield([]),
            "comments": {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0},
        }
    )

    assert editor_client.post(url, data).json()["is_valid"]
    assert "All of them" in text_of(editor_client.get(url))


def products_url():
    return reverse("smartgift_products:index")


def create_url(product, parent):
    return reverse("smartgift_products:create_page", args=[product.pk, parent.pk])


def test_a_page_is_made_in_one_step(editor_client, admin_user, index):
    product = make_product(title="Voucher for the mill")
    listing = editor_client.get(products_url())
    assert create_url(product, index) in listing.content.decode()

    response = editor_client.post(create_url(product, index))

    page = VoucherPage.objects.get()
    assert response.url == reverse("wagtailadmin_pages:edit", args=[page.pk])
    assert (page.title, page.slug) == ("Voucher for the mill", "voucher-for-the-mill")
    assert (page.live, page.owner, page.product) == (False, admin_user, product)
    assert page.get_parent().pk == index.pk
    assert page.latest_revision is not None

    # The second time the first one is opened.
    again = editor_client.post(create_url(product, index))
    assert again.url == response.url
    assert VoucherPage.objects.count() == 1
    listing = editor_client.get(products_url()).content.decode()
    assert create_url(product, index) not in listing
    assert response.url in listing


def test_two_clicks_make_one_page(editor_client, admin_user, index):
    product = make_product()
    made = []

    def the_other_click_is_faster(execute, sql, *rest):
        if not made and sql.startswith("SAVEPOINT"):
            made.append(None)
            parent = index.specific_class.objects.get(pk=index.pk)
            made[0] = voucher_pages.create_draft(
                product, parent=parent, user=admin_user
            )
        return execute(sql, *rest)

    parent = index.specific_class.objects.get(pk=index.pk)
    with (
        connection.execute_wrapper(the_other_click_is_faster),
        pytest.raises(voucher_pages.HasPage) as caught,
    ):
        voucher_pages.create_draft(product, parent=parent, user=admin_user)

    assert [caught.value.page] == made
    assert VoucherPage.objects.get() == made[0]
    # And another product still finds its place beside it.
    voucher_pages.create_draft(make_product(7), parent=parent, user=admin_user)
    assert parent.get_children().count() == 2


def test_a_title_that_leaves_no_slug_gets_one(editor_client, index, settings):
    settings.WAGTAIL_ALLOW_UNICODE_SLUGS = False
    product = make_product(title="礼物")

    editor_client.post(create_url(product, index))

    assert VoucherPage.objects.get().slug == "voucher-37"


def test_making_a_page_needs_the_right_to_add_one(client, index):
    product = make_product()
    user = get_user_model().objects.create_user("ed", password="ed")
    group = Group.objects.create(name="Voucher editors")
    group.permissions.add(
        Permission.objects.get(
            content_type__app_label="wagtailadmin", codename="access_admin"
        )
    )
    user.groups.add(group)
    client.force_login(user)

    assert client.get(products_url()).status_code == 302  # back to the dashboard
    assert client.post(create_url(product, index)).status_code == 302
    assert not VoucherPage.objects.exists()
    assert products_url() not in client.get("/admin/").content.decode()

    GroupPagePermission.objects.create(
        group=group,
        page=index.page_ptr,
        permission=Permission.objects.get(
            content_type__app_label="wagtailcore", codename="add_page"
        ),
    )
    assert client.get(products_url()).status_code == 200
    client.post(create_url(product, index))
    assert VoucherPage.objects.count() == 1


def test_a_page_is_only_made_by_post_and_for_the_sites_own_company(
    editor_client, index
):
    product = make_product(account="other")

    assert editor_client.get(create_url(product, index)).status_code == 405
    editor_client.post(create_url(product, index))
    editor_client.post(create_url(product, index.get_parent()))
    assert not VoucherPage.objects.exists()
    assert (
        create_url(product, index)
        not in editor_client.get(products_url()).content.decode()
    )


def test_the_products_are_searched_and_filtered(editor_client, index):
    make_product(1, title="Money")
    make_experience(2, title="Tea")

    found = editor_client.get(products_url(), {"q": "tea"}).content.decode()
    assert "Tea" in found
    assert "Money" not in found
    found = editor_client.get(products_url(), {"type": "monetary"}).content.decode()
    assert "Money" in found
    assert (
        editor_client.get(reverse("smartgift_products:index_results")).status_code
        == 200
    )


def test_the_list_of_products_costs_the_same_however_long(
    editor_client, index, django_assert_max_num_queries
):
    for number in range(40):
        make_voucher_page(index, make_product(number + 1))
    editor_client.get(products_url())

    with django_assert_max_num_queries(35):
        editor_client.get(products_url())


def test_a_product_is_chosen_by_its_title(editor_client, index):
    make_product(1, title="Money")
    make_experience(2, title="Tea")

    url = reverse("smartgift_product_chooser:choose")
    assert "Money" in editor_client.get(url).json()["html"]
    url = reverse("smartgift_product_chooser:choose_results")
    found = editor_client.get(url, {"q": "tea"}).content.decode()
    assert "Tea" in found
    assert "Money" not in found


def test_off_sale_is_in_no_sitemap(index, rf):
    listed = make_voucher_page(index, make_product(1))
    hidden = make_voucher_page(index, make_product(2, status="hidden"))
    request = rf.get("/")

    assert [url["location"] for url in listed.get_sitemap_urls(request)]
    sold_out = make_voucher_page(index, make_product(3, available_count=0))

    assert hidden.get_sitemap_urls(request) == []
    assert sold_out.get_sitemap_urls(request) == []


# Settings of a site


def settings_url(site):
    return reverse(
        "wagtailsettings:edit", args=["wagtail_smartgift", "smartgiftsettings", site.pk]
    )


def settings_data(*methods, **values):
    return nested_form_data(
        {
            "account": "",
            "smartgift_site_id": "",
            "payment_method": "",
            "delivery_methods": streamfield([("method", method) for method in methods]),
            "words": streamfield([]),
            "voucher_index": "",
            **values,
        }
    )


EMAIL = {"id": "1", "name": "E-mail", "price": "0.00"}


def test_a_site_is_set_up_in_the_admin(editor_client, site):
    assert editor_client.get(settings_url(site)).status_code == 200

    response = editor_client.post(
        settings_url(site),
        settings_data(
            EMAIL,
            {"id": "2", "name": "Post", "price": "3.95", "posted": "on"},
            account="default",
            smartgift_site_id="7",
            payment_method="12",
        ),
    )

    assert response.status_code == 302, text_of(response)
    saved = SmartGiftSettings.for_site(site)
    assert (saved.account, saved.smartgift_site_id, saved.payment_method) == (
        "default",
        "7",
        12,
    )
    assert [
        (block.value["name"], block.value["posted"]) for block in saved.delivery_methods
    ] == [("E-mail", False), ("Post", True)]


def test_an_account_that_is_gone_is_not_changed_silently(editor_client, site):
    SmartGiftSettings.objects.create(site=site, account="closed")

    assert "closed (gone)" in text_of(editor_client.get(settings_url(site)))
    response = editor_client.post(settings_url(site), settings_data(account="closed"))

    assert "is not in WAGTAIL_SMARTGIFT['ACCOUNTS'] any more" in text_of(response)
    assert SmartGiftSettings.objects.get().account == "closed"


def test_delivery_methods_have_numbers_of_their_own(editor_client, site):
    response = editor_client.post(settings_url(site), settings_data(EMAIL, EMAIL))

    html = unescape(response.content.decode())
    assert "Another delivery method has this number already." in html
    assert not SmartGiftSettings.objects.exclude(delivery_methods=[]).exists()


# Models of a host


def test_the_abstract_pages_find_a_template_without_the_host(rf, index):
    page = make_voucher_page(index, make_product())

    assert page.get_template(rf.get("/"))[-1] == "wagtail_smartgift/voucher_page.html"
    assert (
        index.get_template(rf.get("/"))[-1]
        == "wagtail_smartgift/voucher_index_page.html"
    )


def test_a_product_with_a_page_cannot_be_deleted(index):
    product = make_product()
    make_voucher_page(index, product)

    with pytest.raises(ProtectedError):
        product.delete()


def test_the_voucher_page_stands_under_an_index_only():
    assert not VoucherPage.can_create_at(Page.get_first_root_node())

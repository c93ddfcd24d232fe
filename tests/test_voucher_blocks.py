"""Vouchers on any page: the blocks, as visitors and editors see them."""

import re
from html import unescape

import pytest
from django.db import connection
from django.template import Context, RequestContext, Template
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail import blocks
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Site

from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift.models import SmartGiftSettings, VoucherProduct
from wagtail_smartgift.voucher_blocks import (
    BalanceCheckBlock,
    VoucherGridBlock,
    VoucherTeaserBlock,
)


pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


class Stream(blocks.StreamBlock):
    teaser = VoucherTeaserBlock()
    grid = VoucherGridBlock()
    balance = BalanceCheckBlock()


STREAM = Stream()
TEMPLATE = Template("{% load wagtailcore_tags %}{% include_block stream %}")


@pytest.fixture
def index():
    return make_index(make_site())


def stream_of(*parts):
    """Return blocks as they come out of the database."""
    return STREAM.to_python([{"type": kind, "value": value} for kind, value in parts])


def shown(rf, *parts, **context):
    request = rf.get("/", HTTP_HOST="localhost")
    stream = stream_of(*parts)
    return TEMPLATE.render(RequestContext(request, {"stream": stream, **context}))


def grid(**values):
    return ("grid", {"show": "on_sale", "products": [], "limit": 48, **values})


def text_of(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# A teaser


def test_a_teaser_shows_the_product_and_links_to_it(rf, index):
    product = make_product(title="Money & more", image_url="https://images.example/1")

    html = shown(rf, ("teaser", {"product": product.pk}))

    assert "Money & more £10.00 to £40.00" in text_of(html)
    assert 'href="/gift-vouchers/p/37/"' in html
    assert 'src="https://images.example/1"' in html


def test_a_teaser_of_a_dressed_product_is_its_page_s(rf, index):
    product = make_product()
    make_voucher_page(index, product, title="In our words")

    html = shown(rf, ("teaser", {"product": product.pk}))

    assert "In our words" in text_of(html)
    assert 'href="/gift-vouchers/dressed-37/"' in html


def test_a_teaser_has_the_price_of_now(rf, index):
    product = make_product()
    stream = ("teaser", {"product": product.pk})
    shown(rf, stream)
    VoucherProduct.objects.update(max_amount=75)

    assert "£10.00 to £75.00" in text_of(shown(rf, stream))


def test_what_is_sold_out_says_so(rf, index):
    product = make_product(available_count=0)

    said = text_of(shown(rf, ("teaser", {"product": product.pk})))

    assert "Sold out at the moment." in said


@pytest.mark.parametrize(
    "values",
    [
        {"status": "disabled"},
        {"status": "at_counter_only"},
        {"gone_at": timezone.now()},
        {"min_amount": None},
        {"account": "other"},
    ],
)
def test_what_cannot_be_bought_is_left_out(rf, index, values):
    product = make_product(**values)
    part = {"show": "chosen", "products": [product.pk], "heading": "Ours"}

    assert text_of(shown(rf, ("teaser", {"product": product.pk}))) == ""
    assert text_of(shown(rf, grid(**part))) == ""


def test_a_product_that_is_no_more_leaves_no_trace(rf, index):
    assert text_of(shown(rf, ("teaser", {"product": 999}))) == ""
    assert text_of(shown(rf, grid(show="chosen", products=[999]))) == ""


# A grid


def test_a_grid_shows_what_is_on_sale(rf, index):
    make_product(1, title="Money")
    make_experience(2, title="Tea")
    make_experience(3, title="Spa")
    make_product(4, title="Secret", status="hidden")
    make_product(5, title="Elsewhere", account="other")

    said = text_of(shown(rf, grid(heading="Give & take")))
    assert said.startswith("Give & take Money")
    assert "Tea" in said
    assert "Secret" not in said
    assert "Elsewhere" not in said

    said = text_of(shown(rf, grid(type="experience", limit=1)))
    assert "Spa" in said
    assert "Tea" not in said
    assert "Money" not in said


def test_a_grid_shows_what_an_editor_chose_in_that_order(rf, index):
    chosen = [make_product(1, title="Zebra"), make_product(2, title="Apple")]
    make_product(3, title="Not chosen")

    said = text_of(shown(rf, grid(show="chosen", products=[one.pk for one in chosen])))

    assert said.index("Zebra") < said.index("Apple")
    assert "Not chosen" not in said


def test_a_grid_without_anything_shows_nothing(rf, index):
    assert text_of(shown(rf, grid(heading="Ours"))) == ""


def test_a_choice_of_nothing_is_refused():
    value = STREAM.child_blocks["grid"].to_python(
        {"show": "chosen", "products": [], "limit": 6}
    )

    with pytest.raises(blocks.StructBlockValidationError):
        STREAM.child_blocks["grid"].clean(value)


@pytest.mark.parametrize("limit", [0, 49])
def test_a_grid_has_bounds(limit):
    field = STREAM.child_blocks["grid"].child_blocks["limit"]

    with pytest.raises(Exception, match="Ensure this value"):
        field.clean(limit)


# What they cost


@pytest.fixture
def picture(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    return get_image_model().objects.create(title="Mill", file=get_test_image_file())


@pytest.mark.parametrize("chosen", [False, True])
def test_a_grid_costs_the_same_however_many_it_shows(rf, index, picture, chosen):
    products = [make_product(number + 1) for number in range(40)]
    for product in products[:20]:
        make_voucher_page(index, product, image=picture)

    def cost(number):
        values = {"limit": number}
        if chosen:
            pks = [product.pk for product in products[:number]]
            values.update(show="chosen", products=pks)
        shown(rf, grid(**values))
        with CaptureQueriesContext(connection) as queries:
            html = shown(rf, grid(**values))
        assert html.count("<article") == number
        return len(queries)

    assert cost(40) == cost(2) <= 9


def test_many_teasers_read_their_products_at_once(rf, index):
    products = [make_product(number + 1) for number in range(6)]

    with CaptureQueriesContext(connection) as queries:
        shown(rf, *[("teaser", {"product": product.pk}) for product in products])

    reads = [
        query
        for query in queries
        if 'FROM "wagtail_smartgift_voucherproduct"' in query["sql"]
    ]
    assert len(reads) == 1


def test_nothing_is_read_before_it_is_shown(django_assert_num_queries, index):
    product = make_product()

    with django_assert_num_queries(0):
        stream_of(("teaser", {"product": product.pk}), grid())


def test_a_visitor_makes_no_call_to_anybody(rf, index, socket_disabled):
    make_product()

    assert "Voucher 37" in text_of(shown(rf, grid(), ("balance", {"heading": "Ask"})))


def test_without_a_request_the_default_site_is_meant(index):
    product = make_product()
    stream = stream_of(("teaser", {"product": product.pk}))

    html = TEMPLATE.render(Context({"stream": stream}))

    assert 'href="/gift-vouchers/p/37/"' in html


# The balance


def test_the_balance_is_asked_for_by_post_with_a_token(rf, index):
    value = {"heading": "What is left?", "text": "<p>Type the <b>number</b>.</p>"}

    html = shown(rf, ("balance", value))

    assert "What is left? Type the number ." in text_of(html)
    assert 'method="post" action="/smartgift/balance/"' in html
    assert 'name="csrfmiddlewaretoken" value="' in html
    assert "<script" not in html
    assert "style=" not in html


# In the editor


@pytest.mark.parametrize("name", list(STREAM.child_blocks))
def test_each_block_has_a_description_and_a_preview(admin_client, index, name):
    make_product(title="Money")
    make_experience(title="Tea")
    block = STREAM.child_blocks[name]

    assert block.meta.icon
    assert block.get_description()
    assert block.is_previewable
    response = admin_client.get(
        "/admin/block-preview/", {"id": block.definition_prefix}
    )
    assert response.status_code == 200
    html = response.content.decode()
    assert "wagtail_smartgift/smartgift.css" in html
    said = text_of(html.partition("<body>")[2])
    assert {"teaser": "Money", "grid": "Tea", "balance": "Voucher number"}[name] in said


@pytest.mark.parametrize("name", list(STREAM.child_blocks))
def test_a_preview_of_an_empty_shop_is_empty(admin_client, index, name):
    block = STREAM.child_blocks[name]

    response = admin_client.get(
        "/admin/block-preview/", {"id": block.definition_prefix}
    )

    assert response.status_code == 200


def test_a_product_is_chosen_with_the_desks_dialog(index):
    product = make_product(title="Money")
    chooser = STREAM.child_blocks["teaser"].child_blocks["product"]

    assert chooser.get_form_state(product) == {
        "id": product.pk,
        "edit_url": None,
        "title": "Money",
    }
    assert chooser.widget.get_chooser_modal_url() == "/admin/smartgift/choose-voucher/"
    assert list(chooser.extract_references(product)) == [
        (VoucherProduct, str(product.pk), "", "")
    ]


def test_a_page_outlives_a_shop_that_is_set_up_wrong(rf, index, caplog):
    """The site names an account that is gone: its home page must not be."""
    product = make_product(1)
    own = SmartGiftSettings.objects.create(site=Site.objects.get(), account="nobody")
    parts = [
        ("teaser", {"product": product.pk}),
        grid(),
        grid(show="chosen", products=[product.pk]),
    ]

    assert [text_of(shown(rf, part)) for part in parts] == ["", "", ""]
    assert "Vouchers are left out of a page." in caplog.text
    assert "nobody" in caplog.text

    own.delete()
    assert all("Voucher 1" in shown(rf, part) for part in parts)


def test_the_cards_of_a_grid_with_a_heading_stand_below_it(rf, index):
    make_product(1)

    levels = [
        re.findall(r"<h(\d)", shown(rf, part))
        for part in (grid(heading="Ours"), grid())
    ]

    assert levels[0] == ["2", "3"]
    assert levels[1] == ["2"]

"""Products in the admin: found, told beside their pages, exported, and what is amiss."""

import csv
import io
import itertools
import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.models import GroupPagePermission, Page

from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from tests.inbox import ORDER
from wagtail_smartgift import sales, selectors
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    CatalogueSync,
    SmartGiftSettings,
    VoucherOrder,
    VoucherPage,
    VoucherProduct,
)
from wagtail_smartgift.services import catalogue


pytestmark = pytest.mark.django_db

INDEX = reverse("smartgift_products:index")
PAGES = reverse("smartgift_products:pages")
LOOK = "view_voucherproduct"


@pytest.fixture
def index():
    return make_index(make_site())


def detail(product):
    return reverse("smartgift_products:detail", args=[product.pk])


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def words(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", text(answer)).split())


def exported(client, address, **query):
    answer = client.get(address, {**query, "export": "csv"})
    content = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content)))


# What is in the database as it is in Python


def variations():
    """Return products that differ in all that decides about being for sale."""
    numbers = itertools.count(1)
    amounts = [None, Decimal("0.00"), Decimal("10.00"), Decimal("40.00")]
    for low, high in itertools.product(amounts, amounts):
        yield {"min_amount": low, "max_amount": high}
    for price, persons in itertools.product(
        [None, Decimal("0.00"), Decimal("29.50"), Decimal("99999999.99")],
        [None, 0, 1, 2, 500, 501],
    ):
        yield {"type": "experience", "price": price, "persons_min": persons}
    yield {"type": "unknown"}
    for status, stock, gone in itertools.product(
        ["active", "hidden", "disabled", "at_counter_only", "unknown"],
        [None, -1, 0, 1],
        [None, timezone.now()],
    ):
        yield {"status": status, "available_count": stock, "gone_at": gone}
    next(numbers)


def test_availability_is_the_same_in_a_query():
    for number, values in enumerate(variations()):
        make_product(number, **values)

    products = VoucherProduct.objects.all()
    found = {
        word: set(products.filter(selectors.available_as(word)))
        for word in Availability
    }
    others = {
        word: set(products.exclude(selectors.available_as(word)))
        for word in Availability
    }

    for word in Availability:
        expected = {one for one in products if one.availability == word}
        assert expected
        assert found[word] == expected
        assert others[word] == set(products) - expected


# Who may look


def test_who_may_look(index, staff, django_user_model, client):
    product = make_product()
    addresses = (INDEX, detail(product), PAGES)
    for number, address in enumerate(addresses):
        answer = staff("view_voucherorder", name=f"a{number}").get(address)
        assert (answer.status_code, answer.url) == (302, reverse("wagtailadmin_home"))
    client = staff(LOOK)
    for address in addresses:
        assert client.get(address).status_code == 200
    assert f'"{INDEX}"' in text(client.get("/admin/"))
    # Nothing that they may not do is offered.
    page = text(client.get(INDEX))
    assert "Create page" not in page
    assert reverse("smartgift_products:sync") not in page

    # Whoever may add pages may look, too.
    group = Group.objects.create(name="Voucher editors")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    GroupPagePermission.objects.create(
        group=group,
        page=index.page_ptr,
        permission=Permission.objects.get(
            content_type__app_label="wagtailcore", codename="add_page"
        ),
    )
    editor = django_user_model.objects.create_user("ed")
    editor.groups.add(group)
    client.force_login(editor)
    for address in addresses:
        assert client.get(address).status_code == 200
    assert "Create page" in text(client.get(INDEX))


# The list


@pytest.fixture
def products(index):
    make_product(1, title="Money")
    make_experience(2, title="Tea", available_count=0)
    make_product(3, title="Hidden", status="hidden")
    make_product(4, title="Gone", gone_at=timezone.now())
    make_product(5, title="Counter", status="at_counter_only")
    make_product(6, title="Off", status="disabled", available_count=3)
    make_voucher_page(index, VoucherProduct.objects.get(title="Money"))
    make_voucher_page(index, VoucherProduct.objects.get(title="Gone"), live=False)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Counter", "Gone", "Hidden", "Money", "Off", "Tea"]),
        (
            {"ordering": "-title", "type": "monetary"},
            ["Off", "Money", "Hidden", "Gone", "Counter"],
        ),
        ({"availability": "on_sale"}, ["Hidden", "Money"]),
        ({"availability": "sold_out"}, ["Tea"]),
        ({"availability": "gone"}, ["Gone"]),
        ({"availability": "at_counter_only"}, ["Counter"]),
        ({"availability": "off_sale"}, ["Off"]),
        ({"pages": "yes"}, ["Gone", "Money"]),
        ({"pages": "no"}, ["Counter", "Hidden", "Off", "Tea"]),
        ({"listed": "no"}, ["Gone"]),
        ({"listed": "yes", "pages": "yes"}, ["Money"]),
        ({"status": "disabled"}, ["Off"]),
        ({"type": "experience"}, ["Tea"]),
        ({"q": "one"}, ["Gone", "Money"]),
        ({"ordering": "remote_id", "pages": "yes"}, ["Money", "Gone"]),
    ],
)
def test_the_list_is_searched_filtered_and_ordered(products, staff, query, found):
    client = staff(LOOK)

    page = text(client.get(INDEX, query))
    titles = "|".join(VoucherProduct.objects.values_list("title", flat=True))

    assert re.findall(rf'title-wrapper">\s*<a[^>]*>\s*({titles})\s*</a>', page) == found
    assert [row["Title"] for row in exported(client, INDEX, **query)] == found


def test_an_export_has_all_columns(products, staff):
    VoucherProduct.objects.filter(title="Tea").update(title="=Tea")
    rows = {row["Title"]: row for row in exported(staff(LOOK), INDEX)}

    assert rows["Money"]["Pages"].endswith("/gift-vouchers/dressed-1/")
    assert rows["Money"]["From"] == "10.00"
    assert rows["'=Tea"]["Availability"] == "Sold out"
    assert rows["'=Tea"]["People from"] == "2"
    assert rows["Gone"]["Gone since"]
    assert rows["Off"]["In stock"] == "3"


def count(client, address, **query):
    client.get(address, query)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address, query)
        if answer.streaming:
            b"".join(answer.streaming_content)
    return len(captured)


def fill(first, last, **values):
    now = timezone.now()
    VoucherProduct.objects.bulk_create(
        VoucherProduct(
            account="default",
            remote_id=number,
            title=f"Voucher {number}",
            type="monetary",
            status="active",
            min_amount=10,
            max_amount=40,
            digest="made by a test",
            first_seen_at=now,
            changed_at=now,
            **values,
        )
        for number in range(first, last)
    )


@pytest.mark.parametrize("query", [{}, {"export": "csv"}, {"availability": "on_sale"}])
def test_the_list_costs_the_same_however_long(index, staff, query):
    client = staff(LOOK)
    fill(1000, 1010)
    for number in (1, 2):
        make_voucher_page(index, make_product(number))
    few = count(client, INDEX, **query)
    fill(2000, 2290)
    for number in range(3, 12):
        make_voucher_page(index, make_product(number))

    assert count(client, INDEX, **query) == few
    assert few < 25


@pytest.mark.slow
def test_ten_thousand_are_listed(index, staff):
    client = staff(LOOK)
    fill(1000, 1010)
    few = count(client, INDEX)
    fill(2000, 12_000)

    assert count(client, INDEX) == few
    assert len(exported(client, INDEX)) == 10_010


# One product


def test_a_product_is_told_beside_its_pages(index, sandbox, staff):
    catalogue.sync(get_conf().account("default"))
    product = VoucherProduct.objects.get(remote_id=37)
    page = make_voucher_page(index, product, title="In our words")
    sales.place_order(reference="sale-1", **ORDER)
    order = VoucherOrder.objects.get()
    sold = reverse("smartgift_orders:detail", args=[order.pk])
    [item] = sales.get_order(reference="sale-1").items

    shown = text(staff(LOOK, "view_voucherorder").get(detail(product)))

    assert product.title in shown
    assert product.description_html[:40] in shown
    assert reverse("wagtailadmin_pages:edit", args=[page.pk]) in shown
    assert "In our words" in shown
    assert sold in shown
    assert item.voucher_no not in shown
    assert "sale-1" not in text(staff(LOOK, name="bob").get(detail(product)))


def test_a_product_that_is_gone_with_a_live_page_is_a_warning(index, staff):
    product = make_product(gone_at=timezone.now(), remote_status="retired")
    page = make_voucher_page(index, product)

    shown = words(staff(LOOK).get(detail(product)))

    assert "It is no longer sold. Nothing can be bought on its live pages." in shown
    assert "Active (retired)" in shown
    page.unpublish()
    shown = words(staff(LOOK, name="bob").get(detail(product)))
    assert "on its live pages" not in shown
    assert "It is no longer sold." in shown


# Pages to look at


def test_pages_that_cannot_sell_are_listed_with_what_to_do(products, index, staff):
    for number, title in ((7, "Later off"), (8, "Last")):
        make_voucher_page(index, make_product(number, title=title))
    VoucherProduct.objects.filter(title="Later off").update(status="disabled")
    VoucherProduct.objects.filter(title="Last").update(available_count=0)
    client = staff(LOOK)

    page = words(client.get(PAGES))

    assert "Dressed 4 draft" in page
    assert "Choose another voucher, or unpublish the page." in page
    assert "Switch it on in Smart Gift, or unpublish the page." in page
    assert "Dressed 1 " not in page
    rows = exported(client, PAGES)
    assert [(row["Page"], row["Why"]) for row in rows] == [
        ("Dressed 4", "No longer sold"),
        ("Dressed 7", "Not on sale"),
        ("Dressed 8", "Sold out"),
    ]
    for query, found in (
        ({"why": "gone"}, ["Dressed 4"]),
        ({"why": "sold_out"}, ["Dressed 8"]),
        ({"live": "no"}, ["Dressed 4"]),
        ({"live": "yes"}, ["Dressed 7", "Dressed 8"]),
        ({"q": "7"}, ["Dressed 7"]),
        ({"why": "elsewhere"}, []),
    ):
        assert [row["Page"] for row in exported(client, PAGES, **query)] == found


def test_a_page_of_another_company_is_listed(index, staff, configure, settings):
    make_voucher_page(index, make_product())
    client = staff(LOOK)
    assert exported(client, PAGES) == []

    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    configure(ACCOUNTS={**accounts, "quay": {**accounts["default"], "API_KEY": "x"}})
    SmartGiftSettings.objects.create(site=index.get_site(), account="quay")

    [row] = exported(client, PAGES)
    assert row["Why"] == "Sold by another company than this site's"
    assert len(exported(client, PAGES, why="elsewhere")) == 1
    # A site whose account is gone sells nothing, and the checks say so.
    SmartGiftSettings.objects.update(account="nobody")
    assert exported(client, PAGES) == []


def test_the_list_of_pages_costs_the_same_however_long(index, staff):
    client = staff(LOOK)
    for number in (1, 2):
        make_voucher_page(index, make_product(number, status="disabled"))
    few = count(client, PAGES), count(client, PAGES, export="csv")
    for number in range(3, 12):
        make_voucher_page(index, make_product(number, status="disabled"))

    assert (count(client, PAGES), count(client, PAGES, export="csv")) == few


def many_pages(index, product, first, last):
    """Make pages about one product by SQL: a page at a time would take minutes."""
    content_type = ContentType.objects.get_for_model(VoucherPage)
    depth = index.depth + 1
    Page.objects.bulk_create(
        Page(
            title=f"Page {number}",
            draft_title=f"Page {number}",
            slug=f"many-{number}",
            url_path=f"{index.url_path}many-{number}/",
            path=Page._get_path(index.path, depth, number),
            depth=depth,
            content_type=content_type,
            locale=index.locale,
        )
        for number in range(first, last)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO wagtail_smartgift_voucherpage"
            " (page_ptr_id, product_id, introduction, body)"
            " SELECT page.id, %s, '', '[]' FROM wagtailcore_page AS page"
            " WHERE page.slug LIKE %s AND NOT EXISTS (SELECT 1 FROM"
            " wagtail_smartgift_voucherpage AS other WHERE other.page_ptr_id = page.id)",
            [product.pk, "many-%"],
        )


@pytest.mark.slow
def test_ten_thousand_pages_to_look_at_are_listed(index, staff):
    client = staff(LOOK)
    product = make_product(1, gone_at=timezone.now())
    many_pages(index, product, 100, 110)
    few = count(client, PAGES)
    many_pages(index, product, 200, 10_190)

    assert count(client, PAGES) == few
    assert len(exported(client, PAGES)) == 10_000


# The chooser


CHOOSE = reverse("smartgift_product_chooser:choose")
CHOOSE_RESULTS = reverse("smartgift_product_chooser:choose_results")


def test_the_chooser_offers_what_shops_show_and_says_what_it_is(staff):
    make_product(1, title="Mill money")
    make_product(2, title="Sold-out tea", available_count=0)
    make_product(3, title="Counter cake", status="at_counter_only")
    make_product(4, title="Gone glass", gone_at=timezone.now())
    client = staff(LOOK)

    dialog = client.get(CHOOSE).json()["html"]
    everything = client.get(CHOOSE_RESULTS, {"availability": "all"}).content.decode()

    for page in (dialog, everything):
        assert "£10.00 to £40.00" in page
        assert "On sale" in page
        assert "Sold-out tea" in page
        # There is one account alone.
        assert "Account" not in page
    for title in ("Counter cake", "Gone glass"):
        assert title not in dialog
        assert title in everything
    assert "Only sold at the counter" in everything


def test_the_chooser_tells_two_companies_apart(staff, configure):
    make_product(1, title="Afternoon tea")
    make_product(1, title="Afternoon tea", account="quay")
    CatalogueSync.objects.create(account="quay")
    client = staff(LOOK)

    both = client.get(CHOOSE).json()["html"]
    one = client.get(CHOOSE_RESULTS, {"account": "quay"}).content.decode()

    assert both.count("Afternoon tea") == 2
    assert re.findall(r"<td[^>]*>\s*(default|quay)\s*</td>", both) == [
        "default",
        "quay",
    ]
    assert one.count("Afternoon tea") == 1


def test_who_works_on_a_page_may_choose_its_product(index, client, django_user_model):
    """Somebody may change pages, and add none."""
    product = make_product(1)
    addresses = [
        CHOOSE,
        CHOOSE_RESULTS,
        reverse("smartgift_product_chooser:chosen", args=[product.pk]),
        reverse("smartgift_product_chooser:chosen_multiple"),
    ]
    user = django_user_model.objects.create_user("ed", is_staff=True)
    group = Group.objects.create(name="Proof readers")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    user.groups.add(group)
    client.force_login(user)
    assert not any(client.get(url).status_code == 200 for url in addresses)

    GroupPagePermission.objects.create(
        group=group,
        page=index,
        permission=Permission.objects.get(codename="change_page"),
    )

    assert all(client.get(url).status_code == 200 for url in addresses)

"""Orders in the admin: found by what a customer says, told, and exported."""

import csv
import io
import re

import pytest
from django.urls import reverse
from wagtail.models import Site

from tests.inbox import ORDER
from wagtail_smartgift import sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.models import (
    SmartGiftSettings,
    VoucherOrder,
    VoucherOrderItem,
    VoucherProduct,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue


pytestmark = pytest.mark.django_db

INDEX = reverse("smartgift_orders:index")
LOOK = "view_voucherorder"
ROSE = {
    **ORDER["customer"],
    "first_name": "Róse",
    "last_name": "Weaver",
    "email": "rose@example.org",
    "phone": "01225 1",
}


def detail(reference="sale-1"):
    order = VoucherOrder.objects.get(reference=reference)
    return reverse("smartgift_orders:detail", args=[order.pk])


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def words(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", text(answer)).split())


def listed(answer):
    return re.findall(r">\s*(sale-\d)\s*</a>", text(answer))


def exported(answer):
    content = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content)))


@pytest.fixture
def shop(sandbox):
    catalogue.sync(get_conf().account("default"))


@pytest.fixture
def sold(shop):
    """One voucher for John Smith; three for Róse Weaver, under numbers of ours."""
    sales.place_order(reference="sale-1", **ORDER)
    sales.place_order(
        reference="sale-2",
        **{
            **ORDER,
            "items": [
                {"product": 37, "price": "30.00", "to": "Ann", "message": "Enjoy it"}
            ]
            * 3,
            "customer": ROSE,
        },
    )
    VoucherOrder.objects.filter(reference="sale-1").update(own_codes=False)


def test_who_may_look(sold, staff):
    for number, address in enumerate((INDEX, detail())):
        client = staff("view_paymentsession", name=f"a{number}")
        for query in ({}, {"export": "csv"}):
            answer = client.get(address, query)
            assert (answer.status_code, answer.url) == (
                302,
                reverse("wagtailadmin_home"),
            )
    client = staff(LOOK)
    assert f'"{INDEX}"' in text(client.get("/admin/"))
    for address in (INDEX, detail()):
        assert client.get(address).status_code == 200
        assert client.post(address).status_code == 405


def number_of(reference):
    return VoucherOrderItem.objects.filter(order__reference=reference)[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["sale-2", "sale-1"]),
        ({"ordering": "reference"}, ["sale-1", "sale-2"]),
        ({"ordering": "value"}, ["sale-1", "sale-2"]),
        ({"ordering": "-item_count"}, ["sale-2", "sale-1"]),
        ({"q": "weaver"}, ["sale-2"]),
        ({"q": "Róse WEAVER"}, ["sale-2"]),
        ({"q": "john weaver"}, []),
        ({"q": "SALE-1"}, ["sale-1"]),
        ({"own_codes": "yes"}, ["sale-2"]),
        ({"own_codes": "no"}, ["sale-1"]),
        ({"status": "placed"}, ["sale-2", "sale-1"]),
        ({"status": "refused"}, []),
        ({"created_at_from": "2001-01-01"}, ["sale-2", "sale-1"]),
        ({"created_at_to": "2001-01-01"}, []),
    ],
)
def test_the_list_is_searched_filtered_and_ordered(sold, staff, query, found):
    client = staff(LOOK)

    assert listed(client.get(INDEX, query)) == found
    rows = exported(client.get(INDEX, {**query, "export": "csv"}))
    assert [row["Reference"] for row in rows] == found


def test_orders_are_found_by_what_is_on_a_voucher_and_a_receipt(sold, staff):
    client = staff(LOOK)
    order = VoucherOrder.objects.get(reference="sale-2")
    item = order.items.first()
    [number] = {one.voucher_no for one in sales.get_order(reference="sale-2").items[:1]}

    assert listed(client.get(INDEX, {"q": item.display_code})) == ["sale-2"]
    assert listed(client.get(INDEX, {"q": item.display_code[1:].lower()})) == ["sale-2"]
    assert listed(client.get(INDEX, {"q": order.order_id})) == ["sale-2"]
    # A whole number finds nothing: nobody is to put one into an address.
    assert listed(client.get(INDEX, {"q": number})) == []


def test_the_list_and_the_export_tell_what_was_sold_to_whom(sold, staff):
    client = staff(LOOK)

    page = words(client.get(INDEX))
    assert "Róse Weaver £90.00 3" in page
    assert "John Smith £50.00 1" in page
    [rose, john] = exported(client.get(INDEX, {"export": "csv"}))
    assert (rose["Customer"], rose["Value"], rose["Vouchers"]) == (
        "Róse Weaver",
        "90.00",
        "3",
    )
    assert (john["Status"], john["Refused because"]) == ("Placed", "")
    # What nobody needs there is not there.
    for word in ("rose@", "01225", "Mill Lane", "Enjoy it"):
        assert word not in page
        assert word not in str([rose, john])


def test_a_name_is_no_formula(sold, staff):
    VoucherOrder.objects.update(customer={"first_name": "=1+1", "last_name": "x"})

    rows = exported(staff(LOOK).get(INDEX, {"export": "csv"}))

    assert {row["Customer"] for row in rows} == {"'=1+1 x"}


@pytest.mark.parametrize("sign", [";", ",", "\t", "|", "; ", ';"', "\n"])
def test_a_name_is_no_formula_wherever_a_reader_parts_the_cells(sold, staff, sign):
    """A spreadsheet parts them as its language does."""
    name = f"J{sign}=HYPERLINK(1)"
    VoucherOrder.objects.update(customer={"first_name": name, "last_name": "x"})

    answer = staff(LOOK).get(INDEX, {"export": "csv"})

    written = b"".join(answer.streaming_content).decode()
    assert "HYPERLINK" in written
    for delimiter in (",", ";", "\t", "|"):
        for row in csv.reader(io.StringIO(written), delimiter=delimiter):
            assert not [cell for cell in row if cell.strip().startswith("=")]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_character_that_no_spreadsheet_can_hold_ends_no_export(sold, staff, kind):
    VoucherOrder.objects.update(customer={"first_name": "J\x08\x1fo\ufffe"})

    answer = staff(LOOK).get(INDEX, {"export": kind})

    assert b"".join(answer.streaming_content)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("0001-01-01", "9999-12-31", ["sale-2", "sale-1"]),
        ("9999-12-31", "", []),
        ("", "0001-01-01", []),
    ],
)
def test_the_ends_of_time_are_dates_like_any(
    sold, staff, settings, zone, first, last, found
):
    settings.TIME_ZONE = zone

    answer = staff(LOOK).get(INDEX, {"created_at_from": first, "created_at_to": last})

    assert listed(answer) == found


def test_an_e_mail_address_finds_nothing(sold, staff):
    """Nobody is to put one into an address of ours, which logs keep."""
    for query in ("rose@example.org", "rose@exam"):
        assert listed(staff(LOOK, name=query).get(INDEX, {"q": query})) == []


def test_an_erased_customer_is_no_fault(sold, staff):
    VoucherOrder.objects.update(customer={}, delivery={})
    client = staff(LOOK)

    assert listed(client.get(INDEX)) == ["sale-2", "sale-1"]
    assert "Not known (any more)" in text(client.get(detail()))


def test_the_page_tells_all_about_an_order(sold, staff):
    product = VoucherProduct.objects.get(remote_id=37)
    client = staff(LOOK, "view_voucherproduct")

    page = text(client.get(detail("sale-2")))

    told = words(client.get(detail("sale-2")))
    for line in (
        "Value £90.00",
        "What happens next Nothing: the vouchers are sold.",
        "Name Róse Weaver",
        "E-mail rose@example.org",
        "Telephone 01225 1",
        "1 Mill Lane",
        "Method E-mail Price £0.00 Day At once",
        "Ann",
        "Enjoy it",
        "Order stored",
        "Place the order Requested",
        "Place the order Succeeded",
        "Event voucher_order.placed",
        "Voucher numbers Chosen by us",
        "Payment method Credit/Debit Card",
    ):
        assert line in told, line
    address = reverse("smartgift_products:detail", args=[product.pk])
    assert f'<a href="{address}">' in page
    assert address not in text(staff(LOOK, name="bob").get(detail("sale-2")))
    for item in sales.get_order(reference="sale-2").items:
        assert item.voucher_no not in page
        assert f"…{item.voucher_no[-4:]}" in page
    assert "gAAAA" not in page


def test_a_refused_order_says_what_was_wrong(shop, sandbox, staff):
    sandbox.faults.add(Fault("pos-sale", "refused"))
    with pytest.raises(SaleError):
        sales.place_order(reference="sale-1", **ORDER)
    client = staff(LOOK)

    page = words(client.get(detail()))

    assert "Nothing was sold." in page
    assert "Smart Gift refused" in page
    assert VoucherOrder.objects.get().refusal_detail in page
    [row] = exported(client.get(INDEX, {"export": "csv"}))
    assert row["Refused because"].startswith("Smart Gift refused")


def test_it_says_what_happens_next(shop, sandbox, staff):
    client = staff(LOOK)
    sandbox.faults.add(Fault("pos-sale", "lost_after"))
    sales.place_order(reference="sale-1", **ORDER)
    page = text(client.get(detail()))
    assert "It was sent; what became of it is looked up at" in page
    assert "No answer came; it may have been done all the same." in page
    VoucherOrder.objects.update(next_look_at=None)
    assert "the next sweep finds out" in text(client.get(detail()))

    VoucherOrder.objects.update(status="queued", refusal="busy")
    page = text(client.get(detail()))
    assert "The quota of calls to Smart Gift was used up. The next sweep sends it." in (
        page
    )
    VoucherOrder.objects.update(
        status="needs_attention", attention_code="sold_twice", refusal=""
    )
    page = text(client.get(detail()))
    assert "Its vouchers may have been sold twice." in page
    assert "until a person has settled it" in page


def test_an_order_keeps_its_currency_whatever_the_setting_says_later(
    sold, staff, configure
):
    VoucherOrder.objects.update(currency="EUR")
    client = staff(LOOK, "view_voucherproduct")

    rows = exported(client.get(INDEX, {"export": "csv"}))
    assert {row["Currency"] for row in rows} == {"EUR"}
    product = VoucherProduct.objects.get(remote_id=37)
    pages = [INDEX, detail("sale-2")]
    for page in (text(client.get(address)) for address in pages):
        assert "€90.00" in page
        assert "£" not in page
    sales_of = text(
        client.get(reverse("smartgift_products:detail", args=[product.pk]))
    ).partition('id="sales-section"')[2]
    assert "€30.00" in sales_of
    assert "£" not in sales_of


def test_a_way_of_delivery_is_named_as_its_site_names_it(sold, staff):
    order = VoucherOrder.objects.get(reference="sale-2")
    site = Site.objects.get()
    order.site = site
    order.delivery = {"method": "77", "price": "3.50"}
    order.save()
    own = SmartGiftSettings.objects.create(site=site)
    method = {"id": "77", "name": "By owl", "price": "3.50", "posted": True}
    own.delivery_methods = [("method", method)]
    own.save()
    client = staff(LOOK)

    assert "Method By owl" in words(client.get(detail("sale-2")))

    # The account that the site names is gone: its own words are not to be had.
    SmartGiftSettings.objects.update(account="nobody")
    assert "Method 77" in words(client.get(detail("sale-2")))


def test_an_order_leads_to_where_it_is_settled(sold, staff):
    order = VoucherOrder.objects.get(reference="sale-1")
    case = reverse("smartgift_attention:order", args=[order.pk])
    finance = staff(LOOK, "settle_paymentsession")
    assert case not in text(finance.get(detail()))

    VoucherOrder.objects.update(status="needs_attention", attention_code="sale_unknown")

    assert case in text(finance.get(detail()))
    assert detail() in text(finance.get(case))
    assert case not in text(staff(LOOK, name="baker").get(detail()))

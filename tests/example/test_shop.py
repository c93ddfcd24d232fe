"""The shop around the vouchers, and how it is started."""

import re

import pytest
import requests

from tests.example.shop import CUSTOMER, Shop, Visitor
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/shop/",
        "/shop/mill-hamper/",
        "/our-story/",
        "/gift-vouchers/",
        "/gift-vouchers/the-old-mill-gift-voucher/",
        "/gift-vouchers/p/42/",
        "/basket/",
        "/account/orders/",
        "/account/login/",
    ],
)
def test_every_page_is_there(visitor, path):
    visitor.open(path)

    assert visitor.page.h1 is not None
    assert visitor.page.html["lang"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/shop/",
        "/shop/mill-hamper/",
        "/gift-vouchers/",
        "/gift-vouchers/the-old-mill-gift-voucher/",
        "/gift-vouchers/p/42/",
    ],
)
def test_a_page_for_everybody_is_no_copy_for_another_visitor(shop, path):
    """The language, the basket's size and who is logged in are on each of them."""
    with requests.get(shop.url + path, timeout=60) as answer:
        assert answer.status_code == 200
        assert {"Cookie", "Accept-Language"} <= set(answer.headers["Vary"].split(", "))
        assert "public" not in answer.headers.get("Cache-Control", "")


def test_what_is_a_customers_own_is_kept_by_no_cache(visitor):
    kept = []

    def note(answer, **_options):
        told = answer.headers.get("Cache-Control", "")
        if not {"private", "no-store"} <= set(told.split(", ")):
            kept.append((answer.request.method, answer.url, told))

    visitor.put_hamper_in_basket()
    visitor.http.hooks["response"].append(note)
    visitor.open("/basket/").order().add_voucher("NO-SUCH-NUMBER")
    order = f"/account/orders/{visitor.reference}/"
    visitor.pay().press("Refund", amount="nonsense")
    for path in ("/account/orders/", order, "/smartgift/balance/", "/headless/"):
        visitor.open(path)
    token = visitor.field("csrfmiddlewaretoken")
    visitor.http.post(
        f"{visitor.shop.url}/headless/orders/",
        headers={"X-CSRFToken": token},
        timeout=60,
    )
    assert kept == []


def test_nothing_is_loaded_from_elsewhere(visitor, smart_gift):
    for path in ("/", "/shop/", "/gift-vouchers/", "/our-story/"):
        visitor.open(path)
        wanted = re.findall(
            r'(?:src|srcset|action)="(https?://[^"/]+)', str(visitor.page)
        )
        # Smart Gift's own pictures of vouchers that no page dresses.
        assert set(wanted) <= {smart_gift.url}, path


def test_the_basket_counts_changes_and_forgets(visitor):
    visitor.put_hamper_in_basket(2)
    assert "£160.00" in visitor.text

    visitor.press("Change", quantity="3")
    assert "£240.00" in visitor.text

    visitor.press("Remove")
    assert "There is nothing in it yet." in visitor.text


@pytest.mark.parametrize("quantity", ["-3", "x", "1e3", "99999999999", "٣"])
def test_the_basket_survives_nonsense(visitor, quantity):
    visitor.put_hamper_in_basket()

    visitor.press("Change", quantity=quantity)

    assert visitor.page.h1.text == "Your basket"


def test_an_empty_basket_has_no_checkout(visitor):
    visitor.open("/checkout/")

    assert visitor.address.endswith("/basket/")


def test_a_price_that_changed_is_shown_before_it_is_asked(visitor):
    visitor.put_hamper_in_basket().open("/checkout/")

    visitor.press("On to the payment", **CUSTOMER, seen_total="79.00")

    assert "A price has changed" in visitor.text
    assert visitor.page.h1.text == "Checkout"


def test_the_paid_basket_is_empty(visitor):
    visitor.order_hamper()
    assert "£80.00" in visitor.open("/basket/").text

    visitor.open("/account/orders/").open(
        visitor.page.select_one("a.order__link")["href"]
    )
    visitor.open(visitor.page.select_one("a.button")["href"]).pay()

    assert "There is nothing in it yet." in visitor.open("/basket/").text


def test_example_data_may_be_loaded_again(filled_shop):
    again = filled_shop.manage("load_example_data")

    assert "Page:" in filled_shop.printed
    assert "Page:" not in again
    assert "Product:" not in again
    assert "Picture:" not in again
    assert "0 added" in again


def test_no_migration_is_missing(filled_shop):
    filled_shop.manage("makemigrations", "--check", "--dry-run")


def test_the_admin_works(visitor):
    visitor.open("/account/login/")
    visitor.press("Log in", username="admin", password="admin")

    for path in ("/admin/", "/admin/products/", "/admin/pages/"):
        assert visitor.http.get(visitor.shop.url + path, timeout=60).status_code == 200


@pytest.fixture(scope="module")
def bare_shop(migrated, tmp_path_factory):
    """Debugging off, Smart Gift down, no server key, no webhook secret."""
    shop = Shop(
        tmp_path_factory.mktemp("bare"),
        "http://127.0.0.1:9",
        SMARTGIFT_WEBHOOK_SECRET="",
        DJANGO_DEBUG="0",
        DJANGO_SECRET_KEY="a long secret for the tests of the example shop, and no more",
        SMARTGIFT_ENCRYPTION_KEYS=", ".join(["the new key " * 4, "the old key " * 4]),
    )
    shop.start_from(migrated)
    shop.printed = shop.manage("load_example_data")
    with shop.serving():
        yield shop


def test_smart_gift_down_fills_the_shop_all_the_same(bare_shop):
    assert "The pages are made without gift vouchers." in bare_shop.printed
    with Visitor(bare_shop) as visitor:
        assert "No vouchers are on sale" in visitor.open("/gift-vouchers/").text
        visitor.order_hamper().add_voucher("GOOD-0050-0001")
        assert visitor.page.select_one(".smartgift-vouchers__notice--bad")
        assert "Thank you" in visitor.pay().text


def test_wsgi_serves_static_files_and_pictures_with_debug_off(bare_shop):
    with Visitor(bare_shop) as visitor:
        home = visitor.open("/")
        style = home.page.find("link", rel="stylesheet")["href"]
        picture = home.page.find("img")["src"]
        for path, kind in ((style, "text/css"), (picture, "image/")):
            answer = visitor.http.get(bare_shop.url + path, timeout=60)
            assert answer.status_code == 200, path
            assert answer.headers["Content-Type"].startswith(kind)
        assert visitor.open("/nowhere/", status=404).page.h1


def test_without_keys_those_endpoints_answer_401(bare_shop):
    api = f"{bare_shop.url}/smartgift/api"

    answer = requests.post(
        f"{api}/server/payment-sessions",
        json={"reference": "1", "amount_due": "1.00"},
        headers={"Authorization": "Bearer "},
        timeout=60,
    )

    assert answer.status_code == 401


def test_another_server_sells_what_it_has(migrated, tmp_path):
    # given: other ids, other titles, one product of each kind
    sandbox = Sandbox(behaviour=Behaviour(rate_limit=0), api_keys=["sk_other"])
    for product in sandbox.products():
        if product.id not in {38, 42}:
            sandbox.remove_product(product.id)
    sandbox.change_product(38, title="Geschenk")
    with SandboxServer(sandbox) as server:
        shop = Shop(tmp_path, server.url, SMARTGIFT_API_KEY="sk_other")
        shop.start_from(migrated)
        printed = shop.manage("load_example_data")

    assert "Page: Geschenk" in printed
    assert "Page: Cookery class: bread" in printed

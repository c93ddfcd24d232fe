"""What caches may keep of the shop's pages, a table of them all.

A page with a customer's voucher, basket or order is kept by nobody. What is the same
for everybody may be kept, and says what it depends on.
"""

import re
from html import unescape

import pytest

from tests.example.shop import Visitor
from tests.example.test_after_buying import link
from tests.example.test_buying import MONETARY, choose


#: Django's never_cache.
NOBODY = {"max-age=0", "no-cache", "no-store", "must-revalidate", "private"}
#: A form's token is on it: for its visitor's own browser, which asks again.
VISITOR = {"private", "no-cache"}
#: Nothing of ours against it: the site decides.
ANYBODY = None
#: For everybody, and asked for anew each time.
ASK_AGAIN = {"no-cache"}

#: Of each page: what its Cache-Control says, and what it varies with at the least. The
#: header of every page of this shop shows how full the visitor's basket is.
PAGES = {
    "home": (ANYBODY, {"Cookie", "Accept-Language"}),
    "index": (ANYBODY, {"Cookie", "Accept-Language"}),
    "searched index": (ANYBODY, {"Cookie", "Accept-Language"}),
    "voucher": (VISITOR, {"Cookie", "Accept-Language"}),
    "shop": (ANYBODY, {"Cookie", "Accept-Language"}),
    "thing": (ANYBODY, {"Cookie", "Accept-Language"}),
    "vouchers of the API": (ASK_AGAIN, {"Accept-Language"}),
    "picture": ({"max-age=60", "private"}, set()),
    "basket": (NOBODY, {"Cookie"}),
    "checkout": (NOBODY, {"Cookie"}),
    "payment": (NOBODY, {"Cookie"}),
    "payment with a voucher": (NOBODY, {"Cookie"}),
    "order": (NOBODY, {"Cookie"}),
    "orders": (NOBODY, {"Cookie"}),
    "card": (NOBODY, set()),
    "card as a PDF": (NOBODY, set()),
    "balance": (NOBODY, {"Cookie"}),
    "balance that was asked for": (NOBODY, {"Cookie"}),
    "payment without pages": (NOBODY, {"Cookie"}),
}


@pytest.fixture(scope="module")
def answers(shop, smart_gift):
    """Go through the shop once, and keep what was answered."""
    smart_gift.sandbox.add_voucher("MILL-CACHES", balance="20.00")
    found = {}
    with Visitor(shop) as stranger, Visitor(shop) as visitor:

        def keep(name, path, who=visitor):
            url = path if path.startswith("http") else shop.url + path
            found[name] = who.http.get(url, timeout=60, allow_redirects=False)

        keep("home", "/", stranger)
        keep("index", "/gift-vouchers/", stranger)
        keep("searched index", "/gift-vouchers/?search=tea", stranger)
        keep("voucher", MONETARY, stranger)
        keep("shop", "/shop/", stranger)
        keep("thing", "/shop/mill-hamper/", stranger)
        keep("vouchers of the API", "/smartgift/api/vouchers", stranger)
        made = re.search(r'/smartgift/pictures/[^" ]+', found["index"].text)
        assert made is not None
        keep("picture", unescape(made[0]), stranger)
        # One is bought, with one that pays for a part.
        choose(visitor).put_hamper_in_basket()
        keep("basket", "/basket/")
        keep("checkout", "/checkout/")
        visitor.order()
        keep("payment", visitor.address)
        visitor.add_voucher("MILL-CACHES")
        assert visitor.page.find("section", class_="smartgift-vouchers") is not None
        keep("payment with a voucher", visitor.address)
        visitor.pay()
        assert "Your gift voucher is ready" in visitor.text
        number = visitor.bought_number
        keep("order", visitor.address)
        keep("card", link(visitor, "Print the card"))
        keep("card as a PDF", link(visitor, "Open as PDF"))
        keep("orders", "/account/orders/")
        keep("balance", "/smartgift/balance/")
        visitor.open("/smartgift/balance/")
        action, fields = visitor.form("Check the balance")
        found["balance that was asked for"] = visitor.http.post(
            action, data={**fields, "voucher_no": number}, timeout=60
        )
        keep("payment without pages", "/headless/")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_caches_keep_of_a_page_what_they_may(answers, name):
    told, varies = PAGES[name]
    answer = answers[name]

    assert answer.status_code == (302 if name == "picture" else 200)
    control = answer.headers.get("Cache-Control")
    assert (control and set(control.split(", "))) == told
    assert set(answer.headers.get("Vary", "").split(", ")) >= varies
    # A token is its visitor's: no cache gives it to another.
    if 'name="csrfmiddlewaretoken"' in answer.text:
        assert "Cookie" in answer.headers["Vary"]
    else:
        assert "csrftoken" not in answer.headers.get("Set-Cookie", "")


def test_the_table_has_every_page_that_was_opened(answers):
    assert answers.keys() == PAGES.keys()

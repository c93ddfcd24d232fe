"""The sale calls of the JSON API, to the letter."""

import pytest
from django.core.management import call_command

from tests.api.conftest import assert_problem
from wagtail_smartgift.models import VoucherOrder, VoucherProduct
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import sales as services


ORDER = {"reference", "status", "order_id", "items", "code"}


@pytest.fixture
def catalogue(db, sandbox, capsys):
    call_command("smartgift_sync")
    capsys.readouterr()


@pytest.fixture
def monetary(catalogue):
    return VoucherProduct.objects.get(type="monetary", max_amount=1000)


@pytest.fixture
def order(monetary):
    return {
        "reference": "sale-1",
        "items": [
            {
                "product": monetary.remote_id,
                "price": "50.00",
                "to": "Jane",
                "from": "John",
                "message": "Happy birthday!",
            }
        ],
        "customer": {
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        "delivery": {"method": 1, "price": "0.00"},
    }


def test_an_order_is_placed_once(server, order, sandbox):
    placed = server.post("server/voucher-orders", order)

    assert placed.status_code == 201
    body = placed.json()
    assert set(body) == ORDER
    assert (body["status"], body["reference"]) == ("placed", "sale-1")
    assert body["order_id"]
    [item] = body["items"]
    assert set(item) == {"product", "price", "persons", "voucher_no"}
    assert item["price"] == "50.00"
    assert sandbox.voucher(item["voucher_no"]).balance == 50

    again = server.post("server/voucher-orders", order)
    assert again.status_code == 200
    assert again.json() == body
    [sale] = sandbox.sales()
    assert sale.reference == "sale-1"
    assert sale.items[0]["from"] == "John"
    assert server.get("server/voucher-orders/sale-1").json() == body


def test_of_two_at_the_same_moment_one_has_placed_it(
    server, order, sandbox, monkeypatch
):
    """The other one comes between the first one's look and its sale."""
    store, rival = services._store, []

    def interleave(*args):
        monkeypatch.setattr(services, "_store", store)
        rival.append(server.post("server/voucher-orders", order))
        return store(*args)

    monkeypatch.setattr(services, "_store", interleave)

    slower = server.post("server/voucher-orders", order)

    assert (rival[0].status_code, slower.status_code) == (201, 200)
    assert rival[0].json() == slower.json()
    assert len(sandbox.sales()) == 1


def test_an_order_that_a_repeat_places_is_201_then(server, order, sandbox):
    sandbox.faults.add(Fault(operation="pos-sale", mode="rate_limited", seconds=1))
    assert server.post("server/voucher-orders", order).status_code == 202

    assert server.post("server/voucher-orders", order).status_code == 201
    assert server.post("server/voucher-orders", order).status_code == 200
    assert len(sandbox.sales()) == 1


def test_under_the_wrong_key_nothing_is_sold(server, order, sandbox, configure):
    """Its vouchers could not be found again, and might be live twice."""
    server.post("server/voucher-orders", order)
    configure(FINGERPRINT_KEY="another fingerprint key for tests, and as long")
    rows = list(VoucherOrder.objects.values())

    for more in ({}, {"dry_run": True}):
        answer = server.post(
            "server/voucher-orders", {**order, "reference": "sale-2", **more}
        )
        assert_problem(answer, "smartgift_unavailable", 503)

    assert len(sandbox.sales()) == 1
    assert list(VoucherOrder.objects.values()) == rows


def test_the_same_reference_with_other_content_is_a_conflict(server, order, sandbox):
    server.post("server/voucher-orders", order)
    order["items"][0]["price"] = "55.00"

    answer = server.post("server/voucher-orders", order)

    assert_problem(answer, "reference_conflict", 409)
    assert len(sandbox.sales()) == 1


def test_what_is_optional_may_be_null(server, order, sandbox):
    order["customer"] |= {"phone": None, "address2": None, "county": None}
    order["items"][0] |= {"to": None, "from": None, "message": None}

    assert server.post("server/voucher-orders", order).status_code == 201
    assert len(sandbox.sales()) == 1


def test_a_dry_run_sells_nothing(server, order, sandbox):
    answer = server.post("server/voucher-orders", {**order, "dry_run": True})

    assert answer.status_code == 200
    assert sandbox.sales() == []
    assert not VoucherOrder.objects.exists()


def test_a_sale_without_an_answer_is_202(server, order, sandbox):
    sandbox.faults.add(Fault(operation="pos-sale", mode="lost_after"))

    answer = server.post("server/voucher-orders", order)

    assert answer.status_code == 202
    assert answer.json()["status"] == "placing"
    assert answer.json()["items"][0]["voucher_no"] is None
    assert len(sandbox.sales()) == 1
    assert server.post("server/voucher-orders", order).status_code == 202
    assert len(sandbox.sales()) == 1


def test_a_sale_that_could_not_be_sent_is_queued(server, order, sandbox):
    sandbox.faults.add(Fault(operation="pos-sale", mode="rate_limited", seconds=20))

    answer = server.post("server/voucher-orders", order)

    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert sandbox.sales() == []


def test_a_refused_sale_says_so(server, order, sandbox):
    sandbox.faults.add(
        Fault(operation="pos-sale", mode="refused", message="No.", field="customer")
    )

    answer = server.post("server/voucher-orders", order)

    body = assert_problem(answer, "order_refused", 422)
    assert "No." not in str(body)
    assert sandbox.sales() == []
    # What was refused may be sent again.
    assert server.post("server/voucher-orders", order).json()["status"] == "placed"


def test_what_was_queued_or_refused_is_created_when_it_is_placed(
    server, order, sandbox
):
    sandbox.faults.add(Fault(operation="pos-sale", mode="rate_limited", seconds=0))
    assert server.post("server/voucher-orders", order).status_code == 202
    assert server.post("server/voucher-orders", order).status_code == 201
    assert server.post("server/voucher-orders", order).status_code == 200

    order["reference"] = "sale-2"
    sandbox.faults.add(Fault(operation="pos-sale", mode="refused", field="customer"))
    refused = server.post("server/voucher-orders", order)
    assert_problem(refused, "order_refused", 422)
    order["items"][0]["price"] = "55.00"
    assert server.post("server/voucher-orders", order).status_code == 201
    assert len(sandbox.sales()) == 2


def test_what_a_person_has_to_find_out_is_no_success(server, order, sandbox):
    sandbox.faults.add(Fault(operation="pos-sale", mode="lost_before"))
    assert server.post("server/voucher-orders", order).status_code == 202
    VoucherOrder.objects.update(status="needs_attention", next_look_at=None)

    answer = server.post("server/voucher-orders", order)

    assert (answer.status_code, answer.json()["status"]) == (202, "needs_attention")
    assert sandbox.sales() == []


def test_the_site_of_an_order_may_be_named_in_the_query(server, order, sandbox):
    answer = server.post("server/voucher-orders?site=no.such", order)

    body = assert_problem(answer, "invalid", 422)
    assert [error["field"] for error in body["errors"]] == ["site"]
    assert sandbox.sales() == []


@pytest.mark.parametrize("dry", ["false", "no", 0, 1, "true"])
def test_a_dry_run_is_true_or_false(server, order, sandbox, dry):
    answer = server.post("server/voucher-orders", {**order, "dry_run": dry})

    body = assert_problem(answer, "invalid", 422)
    assert [error["field"] for error in body["errors"]] == ["dry_run"]
    assert sandbox.sales() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda body: body["items"][0].update(product=10**30), "items.0.product"),
        (lambda body: body["items"][0].update(product="38"), "items.0.product"),
        (lambda body: body["items"][0].update(persons=10**30), "items.0.persons"),
        (lambda body: body.update(payment_method=10**30), "payment_method"),
        (lambda body: body["delivery"].update(method=[1]), "delivery.method"),
        (lambda body: body["delivery"].update(date=1e9), "delivery.date"),
        (
            lambda body: body["delivery"].update(address={"street": "1"}),
            "delivery.address.street",
        ),
        (lambda body: body["items"][0].update(price="52.00"), "items.0.price"),
        (lambda body: body["items"][0].update(price="5.00"), "items.0.price"),
        (lambda body: body["items"][0].pop("price"), "items.0.price"),
        (lambda body: body["items"][0].update(product=1), "items.0.product"),
        (lambda body: body["items"][0].update(quantity=2), "items.0.quantity"),
        (lambda body: body.update(items=[]), "items"),
        (lambda body: body["customer"].pop("email"), "customer.email"),
        (lambda body: body["customer"].update(email="nobody"), "customer.email"),
        (lambda body: body["delivery"].update(method=99), "delivery.method"),
        (lambda body: body["delivery"].update(price="-1"), "delivery.price"),
        (lambda body: body["delivery"].update(date="2020-01-01"), "delivery.date"),
        (lambda body: body["delivery"].update(date="soon"), "delivery.date"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_sold(
    server, order, sandbox, change, field
):
    change(order)

    body = assert_problem(server.post("server/voucher-orders", order), "invalid", 422)

    assert field in [error["field"] for error in body["errors"]]
    assert sandbox.sales() == []
    assert not VoucherOrder.objects.exists()


def test_payment_methods_are_smart_gifts(server, catalogue):
    body = server.get("server/payment-methods").json()

    assert body["items"]
    assert set(body["items"][0]) == {"id", "name"}


def test_an_unknown_order_is_not_found(server):
    assert_problem(server.get("server/voucher-orders/nobody"), "not_found", 404)


def test_the_catalogue_is_listed_without_a_call(anonymous, catalogue, sandbox):
    calls = len(sandbox.log())

    body = anonymous.get("vouchers?limit=3").json()

    assert set(body) == {"count", "items"}
    assert len(body["items"]) == 3
    assert body["count"] > 3
    assert set(body["items"][0]) == {
        "id",
        "title",
        "type",
        "description_html",
        "price",
        "min",
        "max",
        "increment",
        "persons_min",
        "persons_max",
        "available_count",
        "available",
        "image",
        "url",
    }
    one = body["items"][0]
    assert anonymous.get(f"vouchers/{one['id']}").json() == one
    assert_problem(anonymous.get("vouchers/999999"), "not_found", 404)
    assert_problem(anonymous.get("vouchers?limit=1001"), "invalid", 422)
    assert len(sandbox.log()) == calls

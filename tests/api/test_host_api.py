"""Our routers in a host's own ``NinjaAPI``, which keeps its own ways."""

from importlib.util import find_spec

import pytest
from django.core.checks.urls import check_url_config, check_url_namespaces_unique
from django.test import Client
from django.urls import reverse

from tests.api.conftest import SERVER_KEY, assert_problem
from wagtail_smartgift.models import PaymentSession, StoredAnswer


FIFTY = "GOOD-0050-0001"
STAFF = {"Authorization": "Bearer staff-token"}
SERVER = {"Authorization": f"Bearer {SERVER_KEY}"}

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.host")]


def get(path, **headers):
    return Client().get(f"/{path}", headers=headers)


def post(path, body, **headers):
    return Client(enforce_csrf_checks=True).post(
        f"/{path}", body, content_type="application/json", headers=headers
    )


def test_a_payment_goes_all_the_way(sandbox):
    sessions = "host/gifts/server/payment-sessions"
    opened = post(sessions, {"reference": "1", "amount_due": "80.00"}, **SERVER)
    assert opened.status_code == 201
    own = {"Authorization": f"Bearer {opened.json()['client_secret']}"}

    added = post("host/gifts/payment-session/redemptions", {"voucher_no": FIFTY}, **own)
    assert added.status_code == 201
    assert added["Cache-Control"] == "no-store"
    assert post(f"{sessions}/1/confirm", {}, **SERVER).json()["status"] == "confirmed"
    assert sandbox.voucher(FIFTY).balance == 0
    key = {"Idempotency-Key": "k"}
    for _twice in range(2):
        body = {"amount": "20.00"}
        refunded = post(f"{sessions}/1/refund", body, **SERVER, **key)
        assert refunded.json()["amount_refunded"] == "20.00"
    assert refunded["Idempotent-Replayed"] == "true"
    assert sandbox.voucher(FIFTY).balance == 20
    # It is the same payment by whichever door.
    same = get("smartgift/api/server/payment-sessions/1", **SERVER)
    assert same.json()["amount_refunded"] == "20.00"


def test_our_calls_answer_as_they_do_elsewhere(sandbox):
    sessions = "host/gifts/server/payment-sessions"
    assert get("host/gifts/vouchers").status_code == 200
    assert get("host/gifts/health").status_code == 200
    assert_problem(get("host/gifts/payment-session"), "unauthenticated", 401)
    assert_problem(get(f"{sessions}/1", **STAFF), "unauthenticated", 401)
    assert_problem(get(f"{sessions}/1", **SERVER), "not_found", 404)
    assert_problem(get("host/gifts/vouchers?limit=0"), "invalid", 422)
    assert_problem(post(sessions, {}, **SERVER), "invalid", 422)
    for body in ("{", '{"a": 1, "a": 2}', '{"amount_due": NaN}', "x" * 3_000_000):
        assert_problem(post(sessions, body, **SERVER), "malformed", 400)
    french = post(sessions, {}, **SERVER, **{"Accept-Language": "fr"})
    assert french["Content-Language"] == "fr"
    assert not PaymentSession.objects.exists()
    assert not StoredAnswer.objects.exists()


def test_the_hosts_own_calls_keep_their_ways():
    assert get("host/basket").json() == {"detail": "Unauthorized"}
    assert get("host/basket", **STAFF).json() == {"lines": 3}
    wrong = post("host/basket", {"lines": "many"}, **STAFF)
    assert (wrong.status_code, wrong.json()) == (400, {"oh": "no"})
    teapot = get("host/teapot", **STAFF)
    assert (teapot.status_code, teapot.json()) == (418, {"detail": "short and stout"})
    no_json = post("host/basket", "{", **STAFF)
    assert no_json.json() == {"detail": "Cannot parse request body"}
    # Python's reader takes the last of two, and the host may rely on it.
    twice = post("host/basket", '{"lines": 1, "lines": 2}', **STAFF)
    assert twice.json() == {"lines": 2}


def test_a_payment_error_of_the_hosts_own_call_is_a_problem_document():
    assert_problem(get("host/till/nobody", **STAFF), "not_found", 404)


def test_a_throttle_of_the_hosts_own_is_a_problem_document(monkeypatch, sandbox):
    from ninja.throttling import AnonRateThrottle

    from tests.api.host import api

    [routed] = [
        operation
        for bound in api._get_bound_routers()
        for view in bound.path_operations.values()
        for operation in view.operations
        if operation.operation_id == "listVouchers"
    ]
    monkeypatch.setattr(routed, "throttle_objects", [AnonRateThrottle("0/min")])

    answer = get("host/gifts/vouchers")

    assert_problem(answer, "throttled", 429)
    assert int(answer["Retry-After"]) >= 1


# -- side by side -------------------------------------------------------------

APIS = ["host", "smartgift/api", *(["v3"] if find_spec("wagtail.api.v3") else [])]


@pytest.mark.parametrize("where", APIS)
def test_each_describes_itself(where):
    answer = get(f"{where}/openapi.json")

    assert answer.status_code == 200
    described = answer.json()
    assert described["openapi"].startswith("3.")
    assert all(path.startswith(f"/{where}/") for path in described["paths"])


def test_our_calls_are_described_alike_in_each():
    ours = get("smartgift/api/openapi.json").json()
    hosts = get("host/openapi.json").json()

    for path, methods in ours["paths"].items():
        if path.startswith("/smartgift/api/webhooks/"):
            continue
        there = hosts["paths"][path.replace("/smartgift/api/", "/host/gifts/")]
        assert there == methods
    assert hosts["paths"]["/host/basket"]["get"]["operationId"] == "getBasket"


def test_names_of_addresses_do_not_collide():
    assert check_url_config(None) == []
    assert check_url_namespaces_unique(None) == []
    assert reverse("wagtail_smartgift:api:list_vouchers") == "/smartgift/api/vouchers"
    assert reverse("api-2.1:gifts_list_vouchers") == "/host/gifts/vouchers"
    assert reverse("api-2.1:basket") == "/host/basket"

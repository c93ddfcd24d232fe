"""Who may call what: every operation × every kind of credential."""

import hmac
from importlib.util import find_spec

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from tests.api.conftest import SERVER_KEY, Api, assert_problem


FIFTY = "GOOD-0050-0001"
ANYBODY, CUSTOMER, SERVER = "anybody", "customer", "server"
NOBODYS = "00000000-0000-4000-8000-000000000000"
VERBS = ("prepare", "confirm", "cancel", "refund")
#: Whose it is, and what the right caller gets for an empty body and no voucher.
CALLS = {
    ("GET", "vouchers"): (ANYBODY, 200),
    ("GET", "vouchers/1"): (ANYBODY, 404),
    ("POST", "balance"): (ANYBODY, 422),
    ("GET", "health"): (ANYBODY, 200),
    ("GET", "payment-session"): (CUSTOMER, 200),
    ("POST", "payment-session/redemptions"): (CUSTOMER, 422),
    ("POST", f"payment-session/redemptions/{NOBODYS}/renew"): (CUSTOMER, 404),
    ("DELETE", f"payment-session/redemptions/{NOBODYS}"): (CUSTOMER, 404),
    ("POST", "server/payment-sessions"): (SERVER, 422),
    ("GET", "server/payment-sessions/order-1"): (SERVER, 200),
    **{
        ("POST", f"server/payment-sessions/order-1/{verb}"): (
            SERVER,
            409 if verb == "refund" else 200,
        )
        for verb in VERBS
    },
    ("POST", "server/voucher-orders"): (SERVER, 422),
    ("GET", "server/voucher-orders/order-1"): (SERVER, 404),
    ("GET", "server/payment-methods"): (SERVER, 200),
}


@pytest.fixture
def callers(opened, server, time_machine_now):
    """Every kind of caller; the expired secret is one of the same payment."""
    other = server.post(
        "server/payment-sessions", {"reference": "order-2", "amount_due": "1.00"}
    ).json()["client_secret"]
    time_machine_now.shift(86_400 + 1)
    fresh = server.post(
        "server/payment-sessions", {"reference": "order-1", "amount_due": "80.00"}
    ).json()["client_secret"]
    return {
        "anonymous": Api(None),
        "wrong": Api("wrong"),
        "wrong secret": Api(f"sgs_{'x' * 43}"),
        "expired": Api(opened["client_secret"]),
        "another's, expired": Api(other),
        CUSTOMER: Api(fresh),
        SERVER: Api(SERVER_KEY),
    }


def books(sandbox):
    """Return all that a call could have changed: here, and at Smart Gift's."""
    return [
        *(list(model.objects.order_by("pk").values()) for model in models()),
        len(sandbox.log()),
        sandbox.redemptions(),
        sandbox.sales(),
    ]


def models():
    return apps.get_app_config("wagtail_smartgift").get_models()


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_who_may(callers, sandbox, method, path, key):
    whose, right = CALLS[method, path]
    before = books(sandbox)
    for name, api in callers.items():
        if whose in (ANYBODY, name):
            continue
        answer = api(method, path, {} if method == "POST" else None, **key)
        if whose == CUSTOMER and "expired" in name:
            assert_problem(answer, "session_expired", 401)
        else:
            assert_problem(answer, "unauthenticated", 401)
        assert answer["WWW-Authenticate"] == "Bearer"
        assert books(sandbox) == before, name
    for name, api in callers.items():
        if whose in (ANYBODY, name):
            answer = api(method, path, {} if method == "POST" else None, **key)
            assert answer.status_code == right, (name, answer.content)


def test_another_payments_secret_takes_nothing_from_this_one(
    customer, server, sandbox, opened
):
    added = customer.post("payment-session/redemptions", {"voucher_no": FIFTY})
    [row] = added.json()["redemptions"]
    other = server.post(
        "server/payment-sessions", {"reference": "order-2", "amount_due": "1.00"}
    ).json()["client_secret"]
    before = books(sandbox)

    answer = Api(other).post(f"payment-session/redemptions/{row['id']}/renew", {})
    assert_problem(answer, "not_found", 404)
    assert books(sandbox) == before
    answer = Api(other).delete(f"payment-session/redemptions/{row['id']}")

    assert_problem(answer, "not_found", 404)
    assert books(sandbox) == before


@pytest.mark.parametrize("position", range(3))
def test_each_of_several_server_keys_opens_and_all_are_compared(
    configure, opened, position, monkeypatch
):
    keys = ["the-first-of-the-keys", "the-second-one", "and-a-third-key"]
    configure(SERVER_KEYS=keys)
    compared = []
    original = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda a, b: compared.append(b) or original(a, b)
    )

    assert Api(keys[position]).get("server/payment-sessions/order-1").status_code == 200

    # Stopping at the first that fits would tell by its time which one it is.
    assert compared == [key.encode() for key in keys]
    assert_problem(
        Api(SERVER_KEY).get("server/payment-methods"), "unauthenticated", 401
    )


@pytest.mark.parametrize(
    "header",
    [
        "Basic c2VydmVyOmtleQ==",
        f"Token {SERVER_KEY}",
        SERVER_KEY,
        "Bearer",
        "Bearer ",
        f"Bearer {SERVER_KEY} {SERVER_KEY}",
        f"Bearer,{SERVER_KEY}",
    ],
)
def test_other_ways_to_say_who_one_is_open_nothing(opened, settings, caplog, header):
    settings.DEBUG = True
    answer = Api(None).get("server/payment-methods", Authorization=header)

    assert_problem(answer, "unauthenticated", 401)
    assert SERVER_KEY not in caplog.text


def test_the_scheme_is_read_in_any_case(opened):
    for scheme in ("bearer", "BEARER"):
        header = f"{scheme} {SERVER_KEY}"
        answer = Api(None).get("server/payment-sessions/order-1", Authorization=header)
        assert answer.status_code == 200


def test_another_payments_secret_shows_only_its_own(opened, customer, server):
    other = server.post(
        "server/payment-sessions", {"reference": "order-2", "amount_due": "1.00"}
    ).json()["client_secret"]

    assert Api(other).get("payment-session").json()["reference"] == "order-2"
    assert customer.get("payment-session").json()["reference"] == "order-1"


def test_the_table_has_every_call(anonymous):
    documented = {
        (method.upper(), path.removeprefix("/smartgift/api/"))
        for path, methods in anonymous.get("openapi.json").json()["paths"].items()
        for method in methods
    }
    ids = {"{product_id}": "1", "{reference}": "order-1", "{redemption_id}": NOBODYS}
    filled = set()
    for method, path in documented:
        for name, value in ids.items():
            path = path.replace(name, value)
        filled.add((method, path))
    assert {call for call in filled if not call[1].startswith("webhooks/")} == set(
        CALLS
    )


# -- languages ----------------------------------------------------------------


@pytest.mark.parametrize("middleware", [True, False])
def test_errors_are_in_the_customers_language(opened, settings, middleware):
    if not middleware:
        settings.MIDDLEWARE = [
            name for name in settings.MIDDLEWARE if "Locale" not in name
        ]
    french = {"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.5"}
    customer = Api(opened["client_secret"])

    answer = customer.post("payment-session/redemptions", {}, **french)
    [error] = assert_problem(answer, "invalid", 422)["errors"]

    # These are words that others, too, have in French.
    with translation.override("fr"):
        words = gettext("This field is required.")
    assert words != "This field is required."
    assert error == {"field": "voucher_no", "message": words}
    assert answer["Content-Language"] == "fr"
    assert "Accept-Language" in answer["Vary"]
    answer = customer.post("payment-session/redemptions", {})
    [error] = assert_problem(answer, "invalid", 422)["errors"]
    assert error["message"] == "This field is required."
    assert answer["Content-Language"] == "en-gb"


# -- Wagtail's API tokens -----------------------------------------------------

tokens = pytest.mark.skipif(
    find_spec("wagtail.api.v3") is None, reason="Wagtail has API tokens from 8.0 on"
)


def make_token(user: User) -> str:
    from wagtail.models import APIToken

    _token, secret = APIToken.create_token(user=user, name="shop")
    return secret


@pytest.fixture
def user(db):
    return User.objects.create_user("shop", "shop@example.org", "password")


@pytest.fixture
def permitted(user):
    user.user_permissions.add(Permission.objects.get(codename="use_server_api"))
    return user


@tokens
def test_a_token_of_a_permitted_user_is_a_server_key(permitted, opened):
    shop = Api(make_token(permitted))

    assert shop.get("server/payment-sessions/order-1").status_code == 200
    assert "open" in shop.get("health").json()["checks"]["payments"]["counts"]
    again = {"reference": "order-1", "amount_due": "80.00"}
    keyed = shop.post("server/payment-sessions", again, **{"Idempotency-Key": "k"})
    assert keyed.status_code == 200
    assert_problem(shop.get("payment-session"), "unauthenticated", 401)


@tokens
def test_a_token_of_another_user_opens_nothing(user, opened):
    answer = Api(make_token(user)).get("server/payment-sessions/order-1")
    assert_problem(answer, "unauthenticated", 401)


@tokens
def test_an_inactive_user_or_a_revoked_token_opens_nothing(permitted, opened):
    from django.utils import timezone
    from wagtail.models import APIToken

    secret = make_token(permitted)
    permitted.is_active = False
    permitted.save()
    answer = Api(secret).get("server/payment-sessions/order-1")
    assert_problem(answer, "unauthenticated", 401)

    permitted.is_active = True
    permitted.save()
    APIToken.objects.update(revoked_at=timezone.now())
    answer = Api(secret).get("server/payment-sessions/order-1")
    assert_problem(answer, "unauthenticated", 401)


def test_a_cookie_of_a_permitted_user_opens_nothing(permitted, opened, client):
    client.force_login(permitted)
    answer = client.get("/smartgift/api/server/payment-sessions/order-1")
    assert_problem(answer, "unauthenticated", 401)


def test_groups_can_be_given_the_permission(admin_client):
    page = admin_client.get(reverse("wagtailusers_groups:add"))
    assert "vouchers&#x27; JSON API" in page.content.decode()

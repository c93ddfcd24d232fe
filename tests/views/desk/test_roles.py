"""Who may enter what: every address of the desk, for each of the four roles.

``TABLE`` says it. An address that is not in it fails the first test, so whoever adds a
view has to say who may use it. Two more people try everything as well: a colleague who
may enter the Wagtail admin and nothing else, and a stranger.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from tests.factories import make_index, make_product, make_site, make_voucher_page
from wagtail_smartgift.choices import (
    DeliveryStatus,
    InboxStatus,
    RedemptionStatus,
    Verdict,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    Redemption,
    VoucherOrder,
    WebhookDelivery,
)
from wagtail_smartgift.services import groups, vault


pytestmark = pytest.mark.django_db

ROLES = [role.name for role in groups.ROLES]
#: May enter the Wagtail admin, and has none of the plugin's permissions.
COLLEAGUE = "colleague"


@dataclass(frozen=True)
class Who:
    """Which roles may enter an address, and which rows of ``world`` are in it."""

    roles: frozenset[str]
    args: tuple[str, ...] = ()
    #: What whoever may enter tries; whoever may not tries both.
    methods: tuple[str, ...] = ("get", "post")


def only(*roles: str, **details: tuple[str, ...]) -> Who:
    assert set(roles) <= {*ROLES, COLLEAGUE}
    return Who(frozenset(roles), **details)


ADMINISTRATOR = "administrator"

TABLE: dict[str, Who] = {
    # What the shop sells is no secret among those who sell it.
    "smartgift_products:index": only(*ROLES),
    "smartgift_products:index_results": only(*ROLES),
    "smartgift_products:detail": only(*ROLES, args=("product",)),
    "smartgift_products:pages": only(*ROLES),
    "smartgift_products:pages_results": only(*ROLES),
    # Who may look sees when it was read; who may press the button is tested apart.
    "smartgift_products:sync": only(*ROLES, methods=("get",)),
    "smartgift_products:sync_results": only(*ROLES),
    # Takes Wagtail's own permission to add an image, which our groups do not give.
    "smartgift_import_picture": only(args=("product",)),
    "smartgift_products:create_page": only(
        "editor", ADMINISTRATOR, args=("product", "index")
    ),
    # Who works on pages, too, whatever else they may: it is where they choose one.
    "smartgift_product_chooser:choose": only(*ROLES),
    "smartgift_product_chooser:choose_results": only(*ROLES),
    "smartgift_product_chooser:chosen": only(*ROLES, args=("product",)),
    "smartgift_product_chooser:chosen_multiple": only(*ROLES),
    # Wagtail's choosers have it; products are Smart Gift's, and nobody adds one.
    "smartgift_product_chooser:create": only(),
    **dict.fromkeys(
        (
            "smartgift_orders:index",
            "smartgift_orders:index_results",
            "smartgift_payments:index",
            "smartgift_payments:index_results",
        ),
        only("assistant", "finance", ADMINISTRATOR),
    ),
    "smartgift_orders:detail": only(
        "assistant", "finance", ADMINISTRATOR, args=("order",)
    ),
    "smartgift_payments:detail": only(
        "assistant", "finance", ADMINISTRATOR, args=("payment",)
    ),
    **dict.fromkeys(
        (
            "smartgift_attention:index",
            "smartgift_attention:index_results",
            "smartgift_attention:orders",
            "smartgift_attention:orders_results",
        ),
        only("finance", ADMINISTRATOR),
    ),
    "smartgift_attention:payment": only("finance", ADMINISTRATOR, args=("payment",)),
    "smartgift_attention:order": only("finance", ADMINISTRATOR, args=("order",)),
    "smartgift_attention:go_on": only("finance", ADMINISTRATOR, args=("payment",)),
    "smartgift_attention:read": only("finance", ADMINISTRATOR, args=("redemption",)),
    "smartgift_attention:settle": only(
        "finance", ADMINISTRATOR, args=("redemption", "verdict")
    ),
    "smartgift_attention:settle_order": only(
        "finance", ADMINISTRATOR, args=("order", "order_verdict")
    ),
    # Finance looks a number up, and moves nothing.
    "smartgift_counter:index": only("assistant", "finance", ADMINISTRATOR),
    "smartgift_counter:payment": only(
        "assistant", "finance", ADMINISTRATOR, args=("payment",)
    ),
    "smartgift_counter:find": only("assistant", "finance", ADMINISTRATOR),
    "smartgift_counter:hold": only("assistant", ADMINISTRATOR),
    "smartgift_counter:apply": only("assistant", ADMINISTRATOR),
    "smartgift_counter:move": only(
        "assistant", ADMINISTRATOR, args=("payment", "verb")
    ),
    "smartgift_counter:release": only(
        "assistant", ADMINISTRATOR, args=("payment", "redemption")
    ),
    # Whoever sees payments sees how the quota is doing, and is led there.
    "smartgift_reports:index": only("assistant", "finance", ADMINISTRATOR),
    "smartgift_reports:health": only("assistant", "finance", ADMINISTRATOR),
    "smartgift_reports:figures": only("finance", ADMINISTRATOR),
    "smartgift_reports:figures_results": only("finance", ADMINISTRATOR),
    "smartgift_webhooks:index": only(ADMINISTRATOR),
    "smartgift_inbox:index": only(ADMINISTRATOR),
    "smartgift_inbox:index_results": only(ADMINISTRATOR),
    "smartgift_inbox:detail": only(ADMINISTRATOR, args=("message",)),
    "smartgift_inbox:replay": only(ADMINISTRATOR, args=("message",)),
    "smartgift_deliveries:index": only(ADMINISTRATOR),
    "smartgift_deliveries:index_results": only(ADMINISTRATOR),
    "smartgift_deliveries:inspect": only(ADMINISTRATOR, args=("delivery",)),
    "smartgift_deliveries:replay": only(ADMINISTRATOR, args=("delivery",)),
    "smartgift_connection:test": only(ADMINISTRATOR, args=("site",)),
    "smartgift_privacy:index": only(ADMINISTRATOR),
    "smartgift_privacy:export": only(ADMINISTRATOR),
    "smartgift_privacy:erase": only(ADMINISTRATOR),
    # Wagtail's own view of our settings; what it saves has tests of its own.
    "wagtailsettings:edit": only(
        ADMINISTRATOR, args=("app", "settings", "site"), methods=("get",)
    ),
}


def found_addresses() -> set[str]:
    """Return the names of all addresses of the plugin in the Wagtail admin.

    Those in our namespaces, and any other whose view is ours.
    """
    found = set()

    def walk(resolver: URLResolver, spaces: tuple[str, ...]) -> None:
        for entry in resolver.url_patterns:
            if isinstance(entry, URLResolver):
                inner = (*spaces, entry.namespace) if entry.namespace else spaces
                walk(entry, inner)
            elif is_ours(entry, spaces):
                found.add(":".join([*spaces, entry.name or str(entry.pattern)]))

    [admin] = [
        entry
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLResolver) and str(entry.pattern) == "admin/"
    ]
    walk(admin, ())
    return found


def is_ours(entry: Any, spaces: tuple[str, ...]) -> bool:
    if any(space.startswith("smartgift_") for space in spaces):
        return True
    view = getattr(entry.callback, "view_class", entry.callback)
    return str(view.__module__).startswith("wagtail_smartgift.")


def test_every_address_is_in_the_table():
    ours = {name for name in TABLE if not name.startswith("wagtail")}

    assert found_addresses() == ours


@pytest.fixture
def world(configure):
    """A row of everything that an address may be about."""
    configure(
        WEBHOOK_ENDPOINTS=[
            {"url": "https://127.0.0.1:9/hook", "secret": "whsec_" + "x" * 44}
        ]
    )
    site = make_site()
    index = make_index(site)
    product, dressed = make_product(37), make_product(38)
    make_voucher_page(index, dressed)
    account = get_conf().account("default")
    bound = {
        "account": account.alias,
        "account_base_url": account.base_url,
        "account_key_hash": account.key_hash,
    }
    now = timezone.now()
    order = VoucherOrder.objects.create(
        reference="order-1",
        remote_reference="order-1",
        status="placed",
        customer={"email": "jane@example.org"},
        **bound,
    )
    session = PaymentSession.objects.create(
        reference="order-1",
        currency="GBP",
        amount_due=80,
        amount_eligible=80,
        status="needs_attention",
        attention_code="balance_moved",
        last_active_at=now,
        **bound,
    )
    redemption = Redemption.objects.create(
        session=session,
        position=1,
        number_encrypted=vault.seal("GOOD-0050-0001"),
        fingerprint=vault.fingerprint("GOOD-0050-0001", account=account),
        display_code="…0001",
        type="monetary",
        status=RedemptionStatus.NEEDS_ATTENTION,
        amount=50,
    )
    event = OutboxEvent.objects.create(
        type="session.confirmed", session=session, dispatched_at=now, **bound
    )
    delivery = WebhookDelivery.objects.create(
        event=event,
        endpoint_digest="x" * 32,
        endpoint="https://example.org/hook",
        status=DeliveryStatus.FAILED,
        settled_at=now,
    )
    message = InboxMessage.objects.create(
        webhook_id="msg-1",
        type="order.confirmed",
        body_digest_encrypted=vault.seal("x"),
        payload_encrypted=vault.seal('{"reference": "nobodys"}'),
        status=InboxStatus.FAILED,
        code="not_found",
        finished_at=now - timedelta(minutes=1),
        **bound,
    )
    return {
        "app": "wagtail_smartgift",
        "settings": "smartgiftsettings",
        "site": site.pk,
        "index": index.pk,
        "product": product.pk,
        "order": order.pk,
        "payment": session.pk,
        "redemption": redemption.pk,
        "message": message.pk,
        "delivery": delivery.pk,
        "event": event.pk,
        "verdict": Verdict.NOT_REDEEMED,
        "order_verdict": Verdict.SOLD,
        "verb": "confirm",
    }


@pytest.fixture
def enter(world, django_user_model):
    """Return a function that makes somebody of a role, who has logged in."""

    def log_in(role: str) -> Client:
        groups.ensure(pages=True)
        user = django_user_model.objects.create_user(role)
        if role == COLLEAGUE:
            user.user_permissions.add(Permission.objects.get(codename="access_admin"))
        else:
            name = {one.name: one.group for one in groups.ROLES}[role]
            user.groups.add(Group.objects.get(name=name))
        client = Client(raise_request_exception=False)
        client.force_login(user)
        return client

    return log_in


def snapshot() -> dict[str, list[Any]]:
    """Return all that is in the plugin's tables, and the pages."""
    models = [
        *apps.get_app_config("wagtail_smartgift").get_models(),
        apps.get_model("wagtailcore.ModelLogEntry"),
        apps.get_model("wagtailcore.Page"),
    ]
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for model in models
    }


def address(name: str, who: Who, world: dict[str, Any]) -> str:
    return reverse(name, args=[world[row] for row in who.args])


def is_refused(answer: Any) -> bool:
    """Tell whether the answer is Wagtail's no, or Django's."""
    if answer.status_code == 302:
        return answer.url == reverse("wagtailadmin_home")
    return answer.status_code == 403


@pytest.mark.parametrize("role", [*ROLES, COLLEAGUE])
def test_who_may_not_is_turned_away_and_nothing_happens(role, enter, world):
    client = enter(role)
    forbidden = {name: who for name, who in TABLE.items() if role not in who.roles}
    before = snapshot()

    for name, who in forbidden.items():
        for method in ("get", "post"):
            answer = getattr(client, method)(address(name, who, world))
            # 405: whoever it is, nothing is done by this method here.
            assert is_refused(answer) or answer.status_code == 405, (name, method)
        assert snapshot() == before, name


@pytest.mark.parametrize("role", [*ROLES, COLLEAGUE])
def test_who_may_is_let_in(role, enter, world, sandbox):
    client = enter(role)

    for name, who in TABLE.items():
        if role not in who.roles:
            continue
        statuses = set()
        for method in who.methods:
            answer = getattr(client, method)(address(name, who, world))
            assert not is_refused(answer), (name, method)
            assert answer.status_code < 500, (name, method)
            statuses.add(answer.status_code)
        assert statuses != {405}, name


def test_a_stranger_is_sent_to_log_in(world):
    client = Client(raise_request_exception=False)
    before = snapshot()

    for name, who in TABLE.items():
        for method in ("get", "post"):
            answer = getattr(client, method)(address(name, who, world))
            assert answer.status_code == 302, (name, method)
            assert answer.url.startswith(reverse("wagtailadmin_login")), (name, method)
    assert snapshot() == before


@pytest.mark.parametrize("role", [*ROLES, COLLEAGUE])
def test_the_menu_shows_what_one_may_enter(role, enter, world):
    home = enter(role).get(reverse("wagtailadmin_home")).content.decode()

    for name in (
        "smartgift_products:index",
        "smartgift_orders:index",
        "smartgift_payments:index",
        "smartgift_attention:index",
        "smartgift_counter:index",
        "smartgift_reports:index",
        "smartgift_webhooks:index",
        "smartgift_privacy:index",
    ):
        assert (f'"{reverse(name)}"' in home) is (role in TABLE[name].roles), name

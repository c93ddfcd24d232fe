"""The one menu: each sees what they may, and nothing else; exports that run nothing."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils.translation import gettext_lazy

from wagtail_smartgift.views.desk.base import plain
from wagtail_smartgift.wagtail_hooks import PERMISSIONS


pytestmark = pytest.mark.django_db

WEBHOOKS = reverse("smartgift_webhooks:index")
SENT = reverse("smartgift_deliveries:index")
MESSAGES = reverse("smartgift_inbox:index")


@pytest.mark.parametrize(
    ("permission", "leads_to"),
    [
        ("view_webhookdelivery", SENT),
        ("replay_webhookdelivery", SENT),
        ("view_inboxmessage", MESSAGES),
        ("replay_inboxmessage", MESSAGES),
    ],
)
def test_webhooks_lead_to_what_one_may_see(staff, permission, leads_to):
    client = staff(permission)

    assert f'"{WEBHOOKS}"' in client.get("/admin/").content.decode()
    assert client.get(WEBHOOKS).url == leads_to
    other = {SENT, MESSAGES} - {leads_to}
    page = client.get(leads_to).content.decode()
    assert not any(address in page for address in other)


def test_each_list_leads_to_the_other(staff):
    client = staff("view_webhookdelivery", "view_inboxmessage")

    assert MESSAGES in client.get(SENT).content.decode()
    assert SENT in client.get(MESSAGES).content.decode()


def test_nobody_else_finds_them(staff):
    client = staff("view_paymentsession")

    assert f'"{WEBHOOKS}"' not in client.get("/admin/").content.decode()
    for address in (WEBHOOKS, SENT, MESSAGES):
        # Wagtail's way of saying no: back to the start, with a message.
        answer = client.get(address)
        assert (answer.status_code, answer.url) == (302, reverse("wagtailadmin_home"))


def test_every_permission_can_be_given(admin_client):
    group = Group.objects.create(name="Till")
    page = admin_client.get(reverse("wagtailusers_groups:edit", args=[group.pk]))
    offered = page.content.decode()

    found = Permission.objects.filter(
        content_type__app_label="wagtail_smartgift", codename__in=PERMISSIONS
    )
    assert len(found) == len(PERMISSIONS)
    for permission in found:
        assert f'value="{permission.pk}"' in offered, permission


@pytest.mark.parametrize("first", "=+-@\t\r\n")
def test_an_exported_text_is_no_formula(first):
    assert plain(f"{first}1+1") == f"'{first}1+1"
    assert plain(gettext_lazy("Products")) == "Products"
    assert plain("a=1") == "a=1"

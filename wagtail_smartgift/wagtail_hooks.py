"""What the plugin adds to the Wagtail admin: registrations and nothing else."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail import hooks

from wagtail_smartgift.services import delivering, replaying
from wagtail_smartgift.views.admin_deliveries import DeliveryViewSet
from wagtail_smartgift.views.admin_inbox import InboxViewSet
from wagtail_smartgift.views.admin_products import ProductChooserViewSet, ProductViewSet


deliveries = DeliveryViewSet()


@hooks.register("register_icons")
def register_icons(icons: list[str]) -> list[str]:
    return [*icons, "wagtail_smartgift/icons/smartgift.svg"]


@hooks.register("register_permissions")
def register_permissions() -> QuerySet[Permission]:
    return Permission.objects.filter(
        content_type__app_label="wagtail_smartgift",
        codename__in=[
            "use_server_api",
            "view_inboxmessage",
            "replay_inboxmessage",
            "view_webhookdelivery",
            "replay_webhookdelivery",
        ],
    )


@hooks.register("register_admin_viewset")
def register_viewsets() -> list[Any]:
    return [ProductViewSet(), ProductChooserViewSet(), InboxViewSet(), deliveries]


@hooks.register("register_reports_menu_item")
def register_reports() -> Any:
    return deliveries.get_menu_item()


@hooks.register("register_log_actions")
def register_log_actions(actions: Any) -> None:
    actions.register_action(
        replaying.REPLAY_ACTION,
        _("Replay a message"),
        _("Replayed a message of the shop"),
    )
    actions.register_action(
        delivering.REPLAY_ACTION,
        _("Send a webhook again"),
        _("Asked for the webhook again"),
    )

"""What the plugin adds to the Wagtail admin: registrations and nothing else."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from wagtail import hooks

from wagtail_smartgift.services import (
    cases,
    delivering,
    desk,
    looking_up,
    pictures,
    privacy,
    replaying,
    sync_runs,
)
from wagtail_smartgift.views.desk.connection import ConnectionViewSet
from wagtail_smartgift.views.desk.deliveries import DeliveryViewSet
from wagtail_smartgift.views.desk.group import GiftVouchersGroup
from wagtail_smartgift.views.desk.home import add_panel
from wagtail_smartgift.views.desk.inbox import InboxViewSet
from wagtail_smartgift.views.desk.pictures import import_picture
from wagtail_smartgift.views.desk.product_chooser import ProductChooserViewSet
from wagtail_smartgift.views.desk.remote_data import IMPORT_URL
from wagtail_smartgift.views.desk.sync import SyncLogFormatter


@hooks.register("register_icons")
def register_icons(icons: list[str]) -> list[str]:
    return [*icons, "wagtail_smartgift/icons/smartgift.svg"]


@hooks.register("insert_global_admin_css")
def desk_styles() -> str:
    return format_html(
        '<link rel="stylesheet" href="{}">', static("wagtail_smartgift/desk/admin.css")
    )


#: What groups can be given; none of it is a permission to write rows by hand.
PERMISSIONS = (
    "use_server_api",
    "view_paymentsession",
    "settle_paymentsession",
    "report_paymentsession",
    "desk_redemption",
    "move_redemption",
    "view_voucherorder",
    "privacy_voucherorder",
    "view_voucherproduct",
    "sync_voucherproduct",
    "view_inboxmessage",
    "replay_inboxmessage",
    "view_webhookdelivery",
    "replay_webhookdelivery",
)


@hooks.register("register_permissions")
def register_permissions() -> QuerySet[Permission]:
    return Permission.objects.filter(
        content_type__app_label="wagtail_smartgift", codename__in=PERMISSIONS
    )


@hooks.register("register_admin_viewset")
def register_viewsets() -> list[Any]:
    return [
        GiftVouchersGroup(),
        ProductChooserViewSet(),
        InboxViewSet(),
        DeliveryViewSet(),
        ConnectionViewSet(),
    ]


@hooks.register("register_admin_urls")
def register_urls() -> list[URLPattern]:
    return [
        path(
            "smartgift/vouchers/<int:product_pk>/picture/",
            import_picture,
            name=IMPORT_URL,
        ),
    ]


@hooks.register("construct_homepage_panels")
def construct_homepage_panels(request: HttpRequest, panels: list[Any]) -> None:
    add_panel(request, panels)


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
    actions.register_action(
        privacy.EXPORT_ACTION,
        _("Export a customer's personal data"),
        _("Exported a customer's personal data"),
    )
    actions.register_action(
        privacy.ERASE_ACTION,
        _("Erase a customer's personal data"),
        _("Erased a customer's personal data"),
    )
    actions.register_action(sync_runs.SYNC_ACTION)(SyncLogFormatter)
    actions.register_action(
        pictures.IMPORT_ACTION,
        _("Import a picture"),
        _("Imported Smart Gift's picture"),
    )
    actions.register_action(
        cases.SETTLE_ACTION, _("Settle a case"), _("Settled a case")
    )
    actions.register_action(
        looking_up.LOOK_UP_ACTION,
        _("Look a voucher up"),
        _("Looked a voucher up at the voucher desk"),
    )
    actions.register_action(
        desk.MOVE_ACTION,
        _("Work at the voucher desk"),
        _("Asked for something at the voucher desk"),
    )

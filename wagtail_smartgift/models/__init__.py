from wagtail_smartgift.models.budget import CallBudget
from wagtail_smartgift.models.capabilities import CapabilityRecord
from wagtail_smartgift.models.catalogue import CatalogueSync, VoucherProduct
from wagtail_smartgift.models.deliveries import (
    StaffNotice,
    WebhookAttempt,
    WebhookDelivery,
)
from wagtail_smartgift.models.desk import DeskAction
from wagtail_smartgift.models.guessing import GuessCounter
from wagtail_smartgift.models.heartbeat import Heartbeat
from wagtail_smartgift.models.idempotency import StoredAnswer
from wagtail_smartgift.models.keys import KeyCheck
from wagtail_smartgift.models.outbox import OutboxEvent
from wagtail_smartgift.models.pages import (
    HAS_WAGTAILS_PAGE,
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
)
from wagtail_smartgift.models.payments import (
    PaymentSession,
    Redemption,
    RedemptionEvent,
    SessionSecret,
)
from wagtail_smartgift.models.sales import (
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
)
from wagtail_smartgift.models.settings import SmartGiftSettings
from wagtail_smartgift.models.webhooks import InboxEvent, InboxMessage


__all__ = [
    "AbstractVoucherIndexPage",
    "AbstractVoucherPage",
    "CallBudget",
    "CapabilityRecord",
    "CatalogueSync",
    "DeskAction",
    "GuessCounter",
    "Heartbeat",
    "InboxEvent",
    "InboxMessage",
    "KeyCheck",
    "OutboxEvent",
    "PaymentSession",
    "Redemption",
    "RedemptionEvent",
    "SessionSecret",
    "SmartGiftSettings",
    "StaffNotice",
    "StoredAnswer",
    "VoucherOrder",
    "VoucherOrderEvent",
    "VoucherOrderItem",
    "VoucherProduct",
    "WebhookAttempt",
    "WebhookDelivery",
]

if HAS_WAGTAILS_PAGE:
    from wagtail_smartgift.models.pages import VoucherIndexPage, VoucherPage

    __all__ += ["VoucherIndexPage", "VoucherPage"]

from wagtail_smartgift.models.budget import CallBudget
from wagtail_smartgift.models.capabilities import CapabilityRecord
from wagtail_smartgift.models.catalogue import (
    CatalogueSync,
    ProductChange,
    VoucherProduct,
)
from wagtail_smartgift.models.deliveries import (
    StaffNotice,
    WebhookAttempt,
    WebhookDelivery,
)
from wagtail_smartgift.models.desk import DeskAction, DeskLookUp
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
    SessionEmail,
    SessionSecret,
)
from wagtail_smartgift.models.pictures import ImportedPicture
from wagtail_smartgift.models.privacy import PrivacyEvent
from wagtail_smartgift.models.sales import (
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
)
from wagtail_smartgift.models.settings import SmartGiftSettings
from wagtail_smartgift.models.sync_runs import SyncRun
from wagtail_smartgift.models.webhooks import InboxEvent, InboxMessage


__all__ = [
    "AbstractVoucherIndexPage",
    "AbstractVoucherPage",
    "CallBudget",
    "CapabilityRecord",
    "CatalogueSync",
    "DeskAction",
    "DeskLookUp",
    "GuessCounter",
    "Heartbeat",
    "ImportedPicture",
    "InboxEvent",
    "InboxMessage",
    "KeyCheck",
    "OutboxEvent",
    "PaymentSession",
    "PrivacyEvent",
    "ProductChange",
    "Redemption",
    "RedemptionEvent",
    "SessionEmail",
    "SessionSecret",
    "SmartGiftSettings",
    "StaffNotice",
    "StoredAnswer",
    "SyncRun",
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

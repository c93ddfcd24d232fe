from wagtail_smartgift.models.catalogue import CatalogueSync, VoucherProduct
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


__all__ = [
    "CatalogueSync",
    "PaymentSession",
    "Redemption",
    "RedemptionEvent",
    "SessionSecret",
    "VoucherOrder",
    "VoucherOrderEvent",
    "VoucherOrderItem",
    "VoucherProduct",
]

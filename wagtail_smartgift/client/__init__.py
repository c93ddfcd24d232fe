"""Smart Gift's API over HTTP: one method per endpoint, one error per who must act.

Owns the wire: headers, deadlines, the provider's field names, and the verdict whether
a failed call can have been applied. Refuses everything else: it retries nothing, keeps
no state, knows no Django, and asks a ``gate`` before each call so that whoever owns the
quota can say no.
"""

from wagtail_smartgift.client.api import ApiCall, SmartGiftClient
from wagtail_smartgift.client.errors import (
    Applied,
    CallNotAllowed,
    CircuitOpen,
    Misrouted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RefusalReason,
    Refused,
    SmartGiftError,
    Unauthorised,
)
from wagtail_smartgift.client.inferred import is_about_code, is_about_reference
from wagtail_smartgift.client.schemas.answers import (
    Catalogue,
    CatalogueVoucher,
    Experience,
    HoldReceipt,
    PaymentMethod,
    RedeemReceipt,
    SaleReceipt,
    UnifiedReceipt,
    VoucherState,
)
from wagtail_smartgift.client.schemas.writing import (
    Filters,
    MetaCondition,
    SaleAddress,
    SaleCustomer,
    SaleDelivery,
    SaleItem,
    SaleRequest,
)


__all__ = [
    "ApiCall",
    "Applied",
    "CallNotAllowed",
    "CircuitOpen",
    "Catalogue",
    "CatalogueVoucher",
    "Experience",
    "Filters",
    "HoldReceipt",
    "MetaCondition",
    "Misrouted",
    "NotSent",
    "OutcomeUnknown",
    "PaymentMethod",
    "RateLimited",
    "RedeemReceipt",
    "RefusalReason",
    "Refused",
    "SaleAddress",
    "SaleCustomer",
    "SaleDelivery",
    "SaleItem",
    "SaleReceipt",
    "SaleRequest",
    "SmartGiftClient",
    "SmartGiftError",
    "Unauthorised",
    "UnifiedReceipt",
    "VoucherState",
    "is_about_code",
    "is_about_reference",
]

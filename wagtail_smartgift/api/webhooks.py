"""What the shop tells us, signed by the Standard Webhooks specification."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from wagtail_smartgift.api import envelope, events, events_openapi
from wagtail_smartgift.api.describing import answers
from wagtail_smartgift.api.signature import ShopSignature
from wagtail_smartgift.api.sites import site_for
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.services import inbox


router = Router(tags=["webhooks"], auth=ShopSignature())
envelope.wrap(router)


class ReceiptOut(Schema):
    """What became of a message so far; events tell the rest."""

    id: str = Field(description="The `webhook-id`.")
    type: str
    status: str = Field(
        description=(
            "`received` (to be tried again, or left to a worker), `processing`, "
            "`processed`, `ignored` or `failed`."
        )
    )
    code: str | None = Field(
        description="Why the last attempt did not do it; one of the error codes."
    )

    @classmethod
    def of(cls, receipt: inbox.Receipt) -> "ReceiptOut":
        message = receipt.message
        return cls(
            id=message.webhook_id,
            type=message.type,
            status=message.status,
            code=message.code or None,
        )


_ANSWERS = answers(
    {200: ReceiptOut, 202: ReceiptOut},
    "malformed",
    "unauthenticated",
    "idempotency_conflict",
    says={
        200: "It came before; nothing was done again.",
        202: "It is stored, whatever comes of it.",
    },
)
_ANSWERS["openapi_extra"].update(events_openapi.OPERATION)


@router.post(
    "shop",
    **_ANSWERS,
    operation_id="receiveShopEvent",
    summary="Tell what happened to an order, or that the catalogue has changed",
)
def shop(request: HttpRequest) -> Any:
    """Signed by the [Standard Webhooks](https://www.standardwebhooks.com) specification.

    202 the first time, whatever comes of it; 200 for a repeat, which does nothing. A
    message whose order is not known is kept as `failed`, and one of an unknown type as
    `ignored`. Nothing is stored for 400 and 401.
    """
    event = events.read_event(request.body)
    try:
        site = site_for(request, request.GET.get("site"))
    except PaymentError as error:
        # It is signed, and not what it should be.
        raise PaymentError("malformed", fields=error.fields) from None
    receipt = inbox.receive(
        inbox.Delivery(
            webhook_id=request.auth,  # type: ignore[attr-defined]
            type=event.type,
            body=request.body,
            data=event.data,
            reference=event.reference,
            site=site,
        )
    )
    return Status(200 if receipt.repeated else 202, ReceiptOut.of(receipt))

"""What the shop's own server may call, with a server key."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from wagtail_smartgift import ledger, sales
from wagtail_smartgift.api import envelope, schemas
from wagtail_smartgift.api.auth import ServerKeyAuth
from wagtail_smartgift.api.idempotency import claim_of, idempotent
from wagtail_smartgift.api.sites import site_for
from wagtail_smartgift.exceptions import PaymentError, SaleError
from wagtail_smartgift.services import opening, payments


router = Router(tags=["server"], auth=ServerKeyAuth())
envelope.wrap(router)
Problem = schemas.ProblemOut
#: Nobody's reference: anything that cannot be one is simply not found.
_VERB: dict[Any, Any] = {
    200: schemas.SessionOut,
    202: schemas.SessionOut,
    (400, 401, 404, 409, 422, 503): Problem,
}


def _settled(session: ledger.Session) -> Any:
    return Status(202 if session.pending else 200, schemas.SessionOut.of(session))


@router.post(
    "payment-sessions",
    response={
        200: schemas.OpenedSessionOut,
        201: schemas.OpenedSessionOut,
        (400, 401, 409, 422): Problem,
    },
    operation_id="openSession",
    summary="Open the payment of an order, or tell it new amounts",
)
@idempotent
def open_session(request: HttpRequest, data: schemas.OpenSession) -> Any:
    session, created = opening.open_session(
        reference=data.reference,
        amount_due=data.amount_due,
        amount_eligible=data.amount_eligible,
        currency=data.currency,
        site=site_for(request, data.site),
        metadata=data.metadata,
    )
    body = schemas.OpenedSessionOut.of(session, client_secret=session.client_secret)
    return Status(201 if created else 200, body)


@router.get(
    "payment-sessions/{reference}",
    response={200: schemas.SessionWithJournal, (401, 404): Problem},
    operation_id="getSession",
    summary="A payment with its journal",
)
def get_session(request: HttpRequest, reference: str) -> Any:
    session = payments.get_session(reference=reference)
    lines = [
        schemas.JournalLine(
            at=event.created_at,
            redemption=event.redemption_id,
            display_code=event.redemption.display_code,
            operation=event.operation,
            outcome=event.outcome,
            status=event.status,
            attempt=event.attempt,
            amount=event.amount,
            reason=event.reason,
        )
        for event in ledger.journal(session.id)
    ]
    return schemas.SessionWithJournal.of(session, journal=lines)


@router.post(
    "payment-sessions/{reference}/prepare",
    response=_VERB,
    operation_id="prepareSession",
    summary="See that every voucher can be redeemed, before a card is touched",
)
@idempotent
def prepare(request: HttpRequest, reference: str) -> Any:
    return _settled(payments.prepare(reference=reference))


@router.post(
    "payment-sessions/{reference}/confirm",
    response=_VERB,
    operation_id="confirmSession",
    summary="Redeem every voucher, all or none",
)
@idempotent
def confirm(
    request: HttpRequest, reference: str, data: schemas.Confirm | None = None
) -> Any:
    remaining = data.amount_remaining if data is not None else None
    return _settled(payments.confirm(reference=reference, amount_remaining=remaining))


@router.post(
    "payment-sessions/{reference}/cancel",
    response=_VERB,
    operation_id="cancelSession",
    summary="Give everything back",
)
@idempotent
def cancel(request: HttpRequest, reference: str) -> Any:
    return _settled(payments.cancel(reference=reference))


@router.post(
    "payment-sessions/{reference}/refund",
    response=_VERB,
    operation_id="refundSession",
    summary="Give an amount back, or all that is left",
)
@idempotent
def refund(
    request: HttpRequest, reference: str, data: schemas.Refund | None = None
) -> Any:
    """An `amount` needs an `Idempotency-Key`: twice it would be given back twice."""
    amount = data.amount if data is not None else None
    claim = claim_of(request)
    if amount is not None and claim is None:
        raise PaymentError("idempotency_key_required")
    return _settled(payments.refund(reference=reference, amount=amount, claim=claim))


@router.post(
    "voucher-orders",
    response={
        (200, 201, 202): schemas.OrderOut,
        (400, 401, 409, 422, 503): Problem,
    },
    operation_id="placeOrder",
    summary="Sell vouchers, once for each reference",
)
@idempotent
def place_order(request: HttpRequest, data: schemas.PlaceOrder) -> Any:
    known = _is_known(data.reference)
    order = sales.place_order(
        reference=data.reference,
        items=[item.model_dump(by_alias=True) for item in data.items],
        customer=data.customer.model_dump(),
        delivery=data.delivery.model_dump(by_alias=True),
        payment_method=data.payment_method,
        site=site_for(request, data.site),
        dry_run=data.dry_run,
    )
    status = 200 if known or data.dry_run else 201
    if order.pending and not data.dry_run:
        status = 202
    return Status(status, schemas.OrderOut.of(order))


def _is_known(reference: str) -> bool:
    try:
        sales.get_order(reference=reference)
    except SaleError:
        return False
    return True


@router.get(
    "voucher-orders/{reference}",
    response={200: schemas.OrderOut, (401, 404): Problem},
    operation_id="getOrder",
    summary="What became of an order",
)
def get_order(request: HttpRequest, reference: str) -> schemas.OrderOut:
    return schemas.OrderOut.of(sales.get_order(reference=reference))


@router.get(
    "payment-methods",
    response={200: schemas.PaymentMethodsOut, (401, 422, 503): Problem},
    operation_id="listPaymentMethods",
    summary="The ways of paying that an order may name",
)
def payment_methods(request: HttpRequest, site: schemas.Text | None = None) -> Any:
    methods = sales.payment_methods(site=site_for(request, site))
    return {"items": [{"id": method.id, "name": method.name} for method in methods]}

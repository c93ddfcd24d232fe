"""What the shop's own server may call, with a server key."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from wagtail_smartgift import ledger, sales
from wagtail_smartgift.api import envelope, schemas
from wagtail_smartgift.api.auth import ServerKeyAuth
from wagtail_smartgift.api.describing import ASKED, KEYED, READ, answers
from wagtail_smartgift.api.fields import Text
from wagtail_smartgift.api.idempotency import claim_of, idempotent
from wagtail_smartgift.api.sites import site_for
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.services import opening, payments


router = Router(tags=["server"], auth=ServerKeyAuth())
envelope.wrap(router)

_VERB = {200: schemas.SessionOut, 202: schemas.SessionOut}
_DONE = {
    200: "Done.",
    202: "Begun and not settled yet: look again, or wait for the event.",
}
#: What every verb may be refused with.
_VERB_CODES = (
    *READ,
    *KEYED,
    *ASKED,
    "unauthenticated",
    "not_found",
    "session_busy",
    "needs_attention",
)


def _settled(session: ledger.Session) -> Any:
    return Status(202 if session.pending else 200, schemas.SessionOut.of(session))


@router.post(
    "payment-sessions",
    operation_id="openSession",
    summary="Open the payment of an order, or tell it new amounts",
    **answers(
        {200: schemas.OpenedSessionOut, 201: schemas.OpenedSessionOut},
        *READ,
        *KEYED,
        "unauthenticated",
        "session_not_open",
        "currency_mismatch",
        "smartgift_unavailable",
        says={
            200: "It was open already and has the new amounts.",
            201: "It has been opened.",
        },
    ),
)
@idempotent
def open_session(
    request: HttpRequest,
    data: schemas.OpenSession,
    site: Text | None = None,
) -> Any:
    """The same `reference` again brings the amounts up to date.

    Each answer has another `client_secret`; earlier ones stay valid until they expire.
    """
    session, created = opening.open_session(
        reference=data.reference,
        amount_due=data.amount_due,
        amount_eligible=data.amount_eligible,
        currency=data.currency,
        site=site_for(request, data.site or site),
        metadata=data.metadata,
    )
    body = schemas.OpenedSessionOut.of(session, client_secret=session.client_secret)
    return Status(201 if created else 200, body)


@router.get(
    "payment-sessions/{reference}",
    operation_id="getSession",
    summary="A payment with its journal",
    **answers({200: schemas.SessionWithJournal}, "unauthenticated", "not_found"),
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
    operation_id="prepareSession",
    summary="See that every voucher can be redeemed, before a card is touched",
    **answers(
        _VERB,
        *_VERB_CODES,
        "shortfall",
        "hold_lost",
        "voucher_held",
        "session_cancelled",
        says={200: "Authorise the card for `amount_remaining` now.", 202: _DONE[202]},
    ),
)
@idempotent
def prepare(
    request: HttpRequest, reference: str, data: schemas.Nothing | None = None
) -> Any:
    """Takes lapsed and short holds anew, and looks at what is on the vouchers."""
    return _settled(payments.prepare(reference=reference))


@router.post(
    "payment-sessions/{reference}/confirm",
    operation_id="confirmSession",
    summary="Redeem every voucher, all or none",
    **answers(
        _VERB,
        *_VERB_CODES,
        "amount_changed",
        "shortfall",
        "hold_lost",
        "session_cancelled",
        says=_DONE,
    ),
)
@idempotent
def confirm(
    request: HttpRequest, reference: str, data: schemas.Confirm | None = None
) -> Any:
    """A refusal has given everything back, and the payment is open again."""
    remaining = data.amount_remaining if data is not None else None
    return _settled(payments.confirm(reference=reference, amount_remaining=remaining))


@router.post(
    "payment-sessions/{reference}/cancel",
    operation_id="cancelSession",
    summary="Give everything back",
    **answers(_VERB, *_VERB_CODES, says=_DONE),
)
@idempotent
def cancel(
    request: HttpRequest, reference: str, data: schemas.Nothing | None = None
) -> Any:
    """Releases what is held and reverses what is redeemed. It is final."""
    return _settled(payments.cancel(reference=reference))


@router.post(
    "payment-sessions/{reference}/refund",
    operation_id="refundSession",
    summary="Give an amount back, or all that is left",
    **answers(
        _VERB,
        *_VERB_CODES,
        "idempotency_key_required",
        "not_confirmed",
        "session_cancelled",
        "amount_too_large",
        says=_DONE,
    ),
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
    operation_id="placeOrder",
    summary="Sell vouchers, once for each reference",
    **answers(
        dict.fromkeys((200, 201, 202), schemas.OrderOut),
        *READ,
        *KEYED,
        "unauthenticated",
        "reference_conflict",
        "order_refused",
        "smartgift_unavailable",
        says={
            200: "It was placed before; or a dry run that found nothing wrong.",
            201: "It is placed: the vouchers are sold.",
            202: "It is queued, or nobody knows yet whether it is placed.",
        },
    ),
)
@idempotent
def place_order(
    request: HttpRequest,
    data: schemas.PlaceOrder,
    site: Text | None = None,
) -> Any:
    """Call it when the shop has been paid; before that, with `dry_run`."""
    order = sales.place_order(
        reference=data.reference,
        items=[item.model_dump(by_alias=True) for item in data.items],
        customer=data.customer.model_dump(),
        delivery=data.delivery.model_dump(by_alias=True),
        payment_method=data.payment_method,
        site=site_for(request, data.site or site),
        dry_run=data.dry_run,
    )
    if order.placed_now:
        status = 201
    else:
        # A 2xx that is not 202 means "sold": what a person has to find out is not.
        known = data.dry_run or order.status == OrderStatus.PLACED
        status = 200 if known else 202
    return Status(status, schemas.OrderOut.of(order))


@router.get(
    "voucher-orders/{reference}",
    operation_id="getOrder",
    summary="What became of an order",
    **answers({200: schemas.OrderOut}, "unauthenticated", "not_found"),
)
def get_order(request: HttpRequest, reference: str) -> schemas.OrderOut:
    return schemas.OrderOut.of(sales.get_order(reference=reference))


@router.get(
    "payment-methods",
    operation_id="listPaymentMethods",
    summary="The ways of paying that an order may name",
    **answers({200: schemas.PaymentMethodsOut}, *READ, *ASKED, "unauthenticated"),
)
def payment_methods(request: HttpRequest, site: Text | None = None) -> Any:
    methods = sales.payment_methods(site=site_for(request, site))
    return {"items": [{"id": method.id, "name": method.name} for method in methods]}

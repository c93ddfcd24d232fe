"""What a browser or an app may call: the catalogue, and its own payment session."""

import hashlib
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.translation import get_language
from ninja import Router, Status
from pydantic import BeforeValidator, Field, TypeAdapter

from wagtail_smartgift import health, ledger, listing
from wagtail_smartgift.api import envelope, schemas
from wagtail_smartgift.api.auth import SessionSecretAuth, is_server
from wagtail_smartgift.api.describing import ASKED, KEYED, READ, answers
from wagtail_smartgift.api.fields import Text
from wagtail_smartgift.api.idempotency import idempotent
from wagtail_smartgift.api.sites import site_for
from wagtail_smartgift.api.throttles import BalanceThrottle
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.services import balance, payments
from wagtail_smartgift.visitors import client_of


# Open to all where nothing else is said, whatever the API's own rule that a host
# mounts it in.
router = Router(tags=["storefront"], auth=None)
envelope.wrap(router)
_session_auth = SessionSecretAuth()
_SECRET = ("unauthenticated", "session_expired")
_ETAG = {
    "ETag": {
        "description": "To be sent back as `If-None-Match`.",
        "schema": {"type": "string"},
    }
}
#: An empty one is none, as an empty choice of a form sends it.
_Type = Annotated[
    Literal["monetary", "experience", "unknown"] | None,
    BeforeValidator(lambda value: value or None),
]
_JSON = TypeAdapter(dict[str, Any])


def _own(request: HttpRequest) -> PaymentSession:
    session: PaymentSession = request.auth  # type: ignore[attr-defined]
    return session


@router.get(
    "vouchers",
    operation_id="listVouchers",
    summary="Vouchers on sale",
    **answers(
        {200: schemas.VouchersOut, 304: None},
        *READ,
        says={304: "Nothing has changed since the answer with this `ETag`."},
        headers={200: _ETAG, 304: _ETAG},
    ),
)
def list_vouchers(
    request: HttpRequest,
    type: _Type = None,
    search: Annotated[Text, Field(max_length=200)] = "",
    limit: Annotated[int, Field(ge=1, le=1000)] = 50,
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0,
    site: Text | None = None,
) -> Any:
    """Answer from the last sync; Smart Gift is never asked.

    Send the `ETag` back as `If-None-Match`: while nothing has changed, the answer is
    304 and costs no product.
    """
    where = site_for(request, site)
    state = listing.version(site=where, language=get_language())
    query = repr((type, search, limit, offset, request.get_host()))
    etag = quote_etag(hashlib.sha256(f"{state.word}{query}".encode()).hexdigest()[:32])
    response = get_conditional_response(request, etag=etag)
    if response is None:
        found = listing.voucher_list(
            site=where,
            type=type,
            search=search,
            limit=limit,
            offset=offset,
            request=request,
        )
        items = [item._asdict() for item in found.items]
        # As the schema would write it, without making a model of each first: amounts
        # come with two decimals from their columns.
        body = _JSON.dump_json({"count": found.count, "items": items})
        response = HttpResponse(body, content_type="application/json; charset=utf-8")
    response["ETag"] = etag
    if state.synced_at is not None:
        # RFC 9111: how long ago it was read at its origin, which is Smart Gift.
        age = (timezone.now() - state.synced_at).total_seconds()
        response["Age"] = str(max(0, int(age)))
    # To be kept, and asked for anew each time, with the ETag.
    response["Cache-Control"] = "no-cache"
    return response


@router.get(
    "vouchers/{product_id}",
    operation_id="getVoucher",
    summary="One voucher product",
    **answers({200: schemas.VoucherOut}, *READ, "not_found"),
)
def get_voucher(request: HttpRequest, product_id: int, site: Text | None = None) -> Any:
    """Answer also for a product that is off sale, with ``available`` false."""
    item = listing.voucher_item(
        site=site_for(request, site), remote_id=product_id, request=request
    )
    if item is None:
        raise PaymentError("not_found")
    return item._asdict()


@router.post(
    "balance",
    throttle=[BalanceThrottle()],
    operation_id="getBalance",
    summary="What is on a voucher",
    **answers(
        {200: schemas.BalanceOut},
        *READ,
        *KEYED,
        *ASKED,
        "voucher_not_usable",
        "throttled",
    ),
)
@idempotent
def get_balance(
    request: HttpRequest,
    data: schemas.BalanceIn,
    site: Text | None = None,
) -> Any:
    """Answer also while somebody is paying with it. Guesses are counted, see 429."""
    found = balance.look_up(
        voucher_no=data.voucher_no,
        site=site_for(request, data.site or site),
        client=client_of(request),
    )
    return {
        "type": found.type,
        "balance": found.amount,
        "experiences": [
            {"bit_value": bit, "name": name} for bit, name in found.experiences
        ],
        "held_until": found.held_until,
    }


@router.get(
    "health",
    exclude_none=True,
    operation_id="getHealth",
    summary="How the plugin is doing",
    **answers(
        dict.fromkeys((200, 503), schemas.HealthOut),
        says={
            200: "It works, if `degraded` perhaps.",
            503: "The database or the settings fail.",
        },
    ),
)
def get_health(request: HttpRequest) -> Any:
    """Answer 503 only when the database or the settings fail."""
    checks = health.check_up()
    vital = all(checks[name].ok for name in health.VITAL & checks.keys())
    # Who has a key cannot be found out without settings and database.
    known = vital and is_server(request)
    body = {
        "status": _word(all(check.ok for check in checks.values())),
        "checks": {
            name: {
                "status": _word(check.ok),
                "counts": check.counts if known else None,
            }
            for name, check in checks.items()
        },
    }
    return Status(200 if vital else 503, body)


def _word(ok: bool) -> str:
    return "ok" if ok else "degraded"


@router.get(
    "payment-session",
    auth=_session_auth,
    operation_id="getOwnSession",
    summary="The payment that this secret opens",
    **answers({200: schemas.SessionOut}, *_SECRET),
)
def get_own_session(request: HttpRequest) -> schemas.SessionOut:
    return schemas.SessionOut.of(ledger.describe(_own(request)))


@router.post(
    "payment-session/redemptions",
    auth=_session_auth,
    operation_id="addVoucher",
    summary="Hold a voucher and let it cover what it can",
    **answers(
        {200: schemas.SessionOut, 201: schemas.SessionOut},
        *READ,
        *KEYED,
        *ASKED,
        *_SECRET,
        "voucher_held",
        "session_not_open",
        "session_busy",
        "voucher_not_usable",
        "throttled",
        says={
            200: "It was in the payment already; its amount is what this request says.",
            201: "It is new in the payment, held and looked at.",
        },
    ),
)
@idempotent
def add_voucher(request: HttpRequest, data: schemas.AddVoucher) -> Any:
    """Answer 201 for a voucher that is new in the session, else 200."""
    added = payments.add_voucher(
        reference=_own(request).reference,
        voucher_no=data.voucher_no,
        amount=data.amount,
        experiences=data.experiences,
    )
    return Status(201 if added.created else 200, schemas.SessionOut.of(added.session))


@router.post(
    "payment-session/redemptions/{redemption_id}/renew",
    auth=_session_auth,
    operation_id="renewHold",
    summary="Keep a voucher for longer",
    **answers(
        {200: schemas.SessionOut},
        *READ,
        *KEYED,
        *ASKED,
        *_SECRET,
        "not_found",
        "voucher_held",
        "session_not_open",
        "session_busy",
        "voucher_not_usable",
        "throttled",
        says={
            200: "It is held, for at least half of a hold's time. Look at the amounts: "
            "it may hold less than before.",
        },
    ),
)
@idempotent
def renew_hold(
    request: HttpRequest, redemption_id: UUID, data: schemas.Nothing | None = None
) -> Any:
    """Gives the hold back and takes it again; somebody else may be faster.

    For a customer who asks for it, never for a timer.
    """
    return schemas.SessionOut.of(
        payments.renew_hold(
            reference=_own(request).reference, redemption_id=redemption_id
        ).session
    )


@router.delete(
    "payment-session/redemptions/{redemption_id}",
    auth=_session_auth,
    operation_id="removeVoucher",
    summary="Give a voucher back",
    **answers(
        {204: None},
        *_SECRET,
        *ASKED,
        "not_found",
        "session_not_open",
        "session_busy",
        says={204: "It is given back; also when it was before."},
    ),
)
def remove_voucher(request: HttpRequest, redemption_id: UUID) -> Any:
    """Answer 204 also when it was given back before."""
    payments.remove_voucher(
        reference=_own(request).reference, redemption_id=redemption_id
    )
    return Status(204, None)

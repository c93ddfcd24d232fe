"""What Smart Gift says of one voucher now, and what this database knows of it.

For the shop's own staff: nothing here counts as a guess, and nothing is written.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from wagtail_smartgift import codes
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.client import Refused, SmartGiftError, VoucherState
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import Redemption, VoucherOrderItem
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import gateway, holds, vault


#: Seconds to wait for a place in the quota; somebody sits and waits.
PATIENCE = 5.0


@dataclass(frozen=True)
class Use:
    """One payment that the voucher was used for."""

    reference: str
    session_status: str
    status: str
    amount: Decimal
    currency: str
    at: datetime
    attention_code: str


@dataclass(frozen=True)
class Origin:
    """The order that the voucher was sold in."""

    reference: str
    status: str
    price: Decimal
    at: datetime


@dataclass(frozen=True)
class Answer:
    display_code: str
    #: What Smart Gift says; None: it refused, or could not be asked.
    state: VoucherState | None
    #: Why there is no state, in a sentence.
    problem: str
    #: Smart Gift's own words for a refusal; for staff.
    words: str
    #: Whether Smart Gift refused it, which is what becomes of a wrong number.
    refused: bool
    uses: tuple[Use, ...]
    sold_in: tuple[Origin, ...]


def ask(*, account: Account, site_id: str, voucher_no: str) -> Answer:
    """Ask both sides about a voucher. One call, among the balance look-ups."""
    voucher_no = Secret(voucher_no)
    number = vault.normalise(voucher_no)
    fingerprint = vault.fingerprint(number, account=account)
    state, problem, words, refused = None, "", "", False
    try:
        found = gateway.connect(account, patience=PATIENCE).check(
            voucher_no=number, site_id=site_id, lane=Lane.LOOKUP
        )
        state = holds.zoned(account, found)
    except Refused as error:
        refused = True
        problem, words = f"Smart Gift refuses it ({error.reason.value}).", error.message
    except SmartGiftError as error:
        problem = f"Smart Gift could not be asked ({error})."
    return Answer(
        display_code=codes.display_code(number),
        state=state,
        problem=problem,
        words=words,
        refused=refused,
        uses=_uses(fingerprint),
        sold_in=_origins(fingerprint),
    )


def _uses(fingerprint: str) -> tuple[Use, ...]:
    rows = Redemption.objects.filter(fingerprint=fingerprint).select_related("session")
    return tuple(
        Use(
            reference=row.session.reference,
            session_status=row.session.status,
            status=row.status,
            amount=row.amount,
            currency=row.session.currency,
            at=row.created_at,
            attention_code=row.attention_code,
        )
        for row in rows.order_by("created_at", "pk")
    )


def _origins(fingerprint: str) -> tuple[Origin, ...]:
    items = VoucherOrderItem.objects.filter(fingerprint=fingerprint).select_related(
        "order"
    )
    return tuple(
        Origin(
            reference=item.order.reference,
            status=item.order.status,
            price=item.price,
            at=item.order.created_at,
        )
        for item in items
    )

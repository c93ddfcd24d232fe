"""What goes in and out as JSON.

Money is a string with two decimals on the way out, and such a string or the equal
number on the way in. Times are RFC 3339 in UTC. Unknown fields are refused: a
misspelt ``amount`` must not refund everything.
"""

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from typing_extensions import Self

from wagtail_smartgift import ledger
from wagtail_smartgift.money import format_money, parse_amount
from wagtail_smartgift.redaction import Secret


_PATTERN = r"^\d{1,8}(\.\d{1,2})?$"


def _zulu(moment: datetime) -> str:
    utc = moment.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None)
    return f"{utc.isoformat()}Z"


Money = Annotated[
    Decimal,
    PlainSerializer(format_money, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+\.\d{2}$", "examples": ["25.00"]}
    ),
]
Moment = Annotated[
    datetime,
    PlainSerializer(_zulu, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-03-01T14:32:00Z"]}
    ),
]
_AmountSchema = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "pattern": _PATTERN}, {"type": "number"}],
        "examples": ["25.00"],
    }
)
Amount = Annotated[Decimal, BeforeValidator(parse_amount), _AmountSchema]
AmountOrZero = Annotated[
    Decimal,
    BeforeValidator(lambda value: parse_amount(value, allow_zero=True)),
    _AmountSchema,
]


def _storable(text: str) -> str:
    """Refuse what no database column and no printed card can hold."""
    text = Secret(text)
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("This text has characters that cannot be stored.")
    return str(text)


Text = Annotated[str, AfterValidator(_storable)]
#: A voucher number; no error page shows it.
Number = Annotated[Text, AfterValidator(Secret)]


class Body(Schema):
    """What comes in: nothing unknown, nothing guessed."""

    model_config = ConfigDict(extra="forbid", strict=False)


# -- payment sessions ---------------------------------------------------------


class OpenSession(Body):
    reference: Text = Field(examples=["order-1042"])
    amount_due: AmountOrZero
    amount_eligible: AmountOrZero | None = None
    currency: Text | None = Field(None, examples=["GBP"])
    site: Text | None = Field(None, description="Host name of the Wagtail site.")
    metadata: dict[str, Any] | None = None


class AddVoucher(Body):
    voucher_no: Number = Field(examples=["GIFT 1234 5678"], repr=False)
    amount: Amount | None = Field(None, description="The most to take from it.")
    experiences: list[int] | None = Field(None, max_length=64)


class Confirm(Body):
    amount_remaining: AmountOrZero | None = Field(
        None, description="What the card authorised; nothing is redeemed if it differs."
    )


class Refund(Body):
    #: Left out it means all that is left, so a null that a shop's bug sent is refused.
    amount: Annotated[Decimal | None, BeforeValidator(parse_amount), _AmountSchema] = (
        Field(None, description="All that is left, without it.")
    )


class ExperienceOut(Schema):
    bit_value: int
    name: str
    chosen: bool


class RedemptionOut(Schema):
    id: UUID
    display_code: str = Field(description="The last characters of the number.")
    type: str
    status: str
    amount: Money
    balance: Money | None
    experiences: list[ExperienceOut]
    held_until: Moment | None

    @classmethod
    def of(cls, state: ledger.RedemptionState) -> "RedemptionOut":
        return cls(
            id=state.id,
            display_code=state.display_code,
            type=state.type,
            status=state.status,
            amount=state.amount,
            balance=state.balance,
            experiences=[
                ExperienceOut(bit_value=bit, name=name, chosen=bit in state.experiences)
                for bit, name in state.experiences_available
            ],
            held_until=state.held_until,
        )


class SessionOut(Schema):
    reference: str
    currency: str
    amount_due: Money
    amount_eligible: Money
    amount_covered: Money
    amount_remaining: Money
    amount_redeemed: Money
    amount_refunded: Money
    status: str
    now: Moment
    redemptions: list[RedemptionOut]

    @classmethod
    def of(cls, session: ledger.Session, **more: Any) -> Self:
        return cls(
            reference=session.reference,
            currency=session.currency,
            amount_due=session.amount_due,
            amount_eligible=session.amount_eligible,
            amount_covered=session.amount_covered,
            amount_remaining=session.amount_remaining,
            amount_redeemed=session.amount_redeemed,
            amount_refunded=session.amount_refunded,
            status=session.status,
            now=session.now,
            redemptions=[RedemptionOut.of(state) for state in session.redemptions],
            **more,
        )


class OpenedSessionOut(SessionOut):
    client_secret: str = Field(repr=False)


class JournalLine(Schema):
    at: Moment
    redemption: UUID
    display_code: str
    operation: str
    outcome: str
    status: str
    attempt: int
    amount: Money | None
    reason: str


class SessionWithJournal(SessionOut):
    journal: list[JournalLine]


# -- balances -----------------------------------------------------------------


class BalanceIn(Body):
    voucher_no: Number = Field(examples=["GIFT 1234 5678"], repr=False)
    site: Text | None = Field(None, description="Host name of the Wagtail site.")


class OnVoucherOut(Schema):
    bit_value: int
    name: str


class BalanceOut(Schema):
    type: str
    balance: Money | None = Field(description="Null for an experience voucher.")
    experiences: list[OnVoucherOut]
    held_until: Moment | None


# -- sales --------------------------------------------------------------------


class ItemIn(Body):
    product: int
    price: Amount | None = None
    persons: int | None = None
    to: Text | None = None
    from_: Text | None = Field(None, alias="from")
    message: Text | None = None


class CustomerIn(Body):
    first_name: Text
    last_name: Text
    email: Text
    phone: Text | None = None
    address1: Text
    address2: Text | None = None
    city: Text
    county: Text | None = None
    postcode: Text


class DeliveryIn(Body):
    method: int | Text
    price: AmountOrZero
    #: In the past it would silently mean "send now", so it is checked.
    delivery_date: date | None = Field(None, alias="date")
    address: dict[str, Any] | None = None


class PlaceOrder(Body):
    reference: Text
    items: list[ItemIn] = Field(min_length=1)
    customer: CustomerIn
    delivery: DeliveryIn
    payment_method: int | None = None
    dry_run: bool = False
    site: Text | None = None


class OrderItemOut(Schema):
    product: int
    price: Money
    persons: int | None
    voucher_no: str | None = Field(repr=False)


class OrderOut(Schema):
    reference: str
    status: str
    order_id: str | None
    items: list[OrderItemOut]
    code: str | None = None

    @classmethod
    def of(cls, order: ledger.Order) -> "OrderOut":
        return cls(
            reference=order.reference,
            status=order.status,
            order_id=order.order_id,
            items=[
                OrderItemOut(
                    product=item.product,
                    price=item.price,
                    persons=item.persons,
                    voucher_no=item.voucher_no,
                )
                for item in order.items
            ],
            code=order.code,
        )


class PaymentMethodOut(Schema):
    id: int
    name: str


class PaymentMethodsOut(Schema):
    items: list[PaymentMethodOut]


# -- catalogue ----------------------------------------------------------------


class VoucherOut(Schema):
    id: int = Field(description="Smart Gift's id: the `product` of an order's item.")
    title: str
    type: str
    description_html: str
    price: Money | None
    min: Money | None
    max: Money | None
    increment: Money | None
    persons_min: int | None
    persons_max: int | None
    available_count: int | None
    available: bool
    image: str | None
    url: str | None


class VouchersOut(Schema):
    count: int
    items: list[VoucherOut]


# -- health -------------------------------------------------------------------


class CheckOut(Schema):
    status: Literal["ok", "degraded"]
    counts: dict[str, Any] | None = Field(None, description="For a server key.")


class HealthOut(Schema):
    status: Literal["ok", "degraded"]
    checks: dict[str, CheckOut]


class ProblemOut(Schema):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, str]] | None = None

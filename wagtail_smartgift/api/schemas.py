"""What goes in and out as JSON.

Money is a string with two decimals on the way out, and such a string or the equal
number on the way in. Times are RFC 3339 in UTC. Unknown fields are refused: a
misspelt ``amount`` must not refund everything.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool, WithJsonSchema, model_validator
from typing_extensions import Self

from wagtail_smartgift import ledger, representations
from wagtail_smartgift.api.fields import (
    SITE,
    VOUCHER_NO,
    Amount,
    AmountIfAny,
    AmountOrZero,
    Day,
    DeliveryMethodId,
    Moment,
    Money,
    Number,
    Reference,
    Text,
    Whole,
    word,
)
from wagtail_smartgift.choices import (
    Operation,
    OrderStatus,
    Outcome,
    ProductType,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.redaction import Secret


class Body(Schema):
    """What comes in: nothing unknown, nothing guessed."""

    model_config = ConfigDict(extra="forbid", strict=False)

    @model_validator(mode="before")
    @classmethod
    def _text_is_no_object(cls, value: Any) -> Any:
        # A hidden text is of a class of ours, which pydantic would read attributes of.
        return str(value) if isinstance(value, Secret) else value


class Nothing(Body):
    """The body of a call that takes none: nothing, or an empty object."""


# -- payment sessions ---------------------------------------------------------


class OpenSession(Body):
    reference: Reference
    amount_due: AmountOrZero = Field(examples=["80.00"])
    amount_eligible: AmountOrZero | None = Field(
        None,
        description="The most that vouchers may pay; `amount_due` without it.",
        examples=["60.00"],
    )
    currency: Text | None = Field(
        None, description="Refused where it is not the shop's.", examples=["GBP"]
    )
    site: Text | None = SITE
    metadata: dict[str, Any] | None = Field(
        None,
        description="At most 16 kB, nested at most 32 deep; stays with the payment.",
        examples=[{"basket": 4711}],
    )


class AddVoucher(Body):
    voucher_no: Number = VOUCHER_NO
    amount: Amount | None = Field(
        None, description="The most to take from it.", examples=["20.00"]
    )
    experiences: list[Whole] | None = Field(
        None,
        max_length=64,
        description="Bit values of an experience voucher; all of them without it.",
        examples=[[2, 8]],
    )


class Confirm(Body):
    amount_remaining: AmountOrZero | None = Field(
        None,
        description="What the card authorised; nothing is redeemed if it differs.",
        examples=["30.00"],
    )


class Refund(Body):
    #: Left out it means all that is left, so a null that a shop's bug sent is refused.
    amount: AmountIfAny = Field(None, description="All that is left, without it.")


class ExperienceOut(Schema):
    bit_value: int
    name: str
    chosen: bool


class RedemptionOut(Schema):
    """One voucher in a payment."""

    id: UUID
    display_code: str = Field(
        description="The last characters of the number.", examples=["…0001"]
    )
    type: Annotated[str, word(ProductType)] = Field(
        description="`unknown` until it was looked at."
    )
    status: Annotated[str, word(RedemptionStatus)]
    amount: Money = Field(description="What it pays of this payment.")
    balance: Money | None = Field(
        description="What was on it when it was last looked at."
    )
    experiences: list[ExperienceOut]
    held_until: Moment | None


class SessionOut(Schema):
    """One order's wish to be paid, and where it stands."""

    reference: str = Field(examples=["order-1042"])
    currency: str = Field(examples=["GBP"])
    amount_due: Money = Field(description="What the order costs.")
    amount_eligible: Money = Field(description="The most of it that vouchers may pay.")
    amount_covered: Money = Field(
        description="What vouchers pay: while open what is allocated to them, "
        "afterwards what was redeemed, less what was refunded."
    )
    amount_remaining: Money = Field(description="What is left for the card.")
    amount_redeemed: Money
    amount_refunded: Money
    status: Annotated[str, word(SessionStatus)]
    now: Moment = Field(description="The server's clock, to count `held_until` down.")
    redemptions: list[RedemptionOut]

    @classmethod
    def of(cls, session: ledger.Session, **more: Any) -> Self:
        return cls.model_validate({**representations.of_session(session), **more})


class OpenedSessionOut(SessionOut):
    client_secret: str = Field(
        repr=False,
        description="For the customer's browser: opens this payment and nothing else.",
        examples=["sgs_3Jmo6Bq0rX…"],
    )


class JournalLine(Schema):
    at: Moment
    redemption: UUID
    display_code: str
    operation: Annotated[str, word(Operation)]
    outcome: Annotated[str, word(Outcome)]
    status: Annotated[str, word(RedemptionStatus)] = Field(
        description="The redemption's status from this line on."
    )
    attempt: int
    amount: Money | None
    reason: str = Field(description="A word of ours, or nothing.")


class SessionWithJournal(SessionOut):
    journal: list[JournalLine]


# -- balances -----------------------------------------------------------------


class BalanceIn(Body):
    voucher_no: Number = VOUCHER_NO
    site: Text | None = SITE


class OnVoucherOut(Schema):
    bit_value: int
    name: str


class BalanceOut(Schema):
    type: Annotated[str, word(ProductType)]
    balance: Money | None = Field(description="Null for an experience voucher.")
    experiences: list[OnVoucherOut]
    held_until: Moment | None = Field(
        description="Until when somebody is paying with it; null if nobody is, or "
        "Smart Gift does not say."
    )


# -- sales --------------------------------------------------------------------


class ItemIn(Body):
    product: Whole = Field(description="Smart Gift's id of it.", examples=[37])
    price: Amount | None = Field(
        None,
        description="Of a monetary voucher. For an experience it must be what it costs.",
        examples=["50.00"],
    )
    persons: Whole | None = Field(None, description="For an experience; 1 without it.")
    to: Text | None = Field(None, examples=["Jane"])
    from_: Text | None = Field(None, alias="from", examples=["John"])
    message: Text | None = Field(None, examples=["Happy birthday"])


class CustomerIn(Body):
    first_name: Text = Field(examples=["John"])
    last_name: Text = Field(examples=["Smith"])
    email: Text = Field(examples=["john@example.org"])
    phone: Text | None = None
    address1: Text = Field(examples=["1 Mill Lane"])
    address2: Text | None = None
    city: Text = Field(examples=["Bath"])
    county: Text | None = None
    postcode: Text = Field(examples=["BA1 1AA"])


class AddressIn(Body):
    """Where vouchers are posted to; to the customer, without a name of its own."""

    first_name: Text | None = Field(None, examples=["Jane"])
    last_name: Text | None = Field(None, examples=["Smith"])
    address1: Text = Field(examples=["2 Weir Cottages"])
    address2: Text | None = None
    city: Text = Field(examples=["Bath"])
    county: Text | None = None
    postcode: Text = Field(examples=["BA1 1AA"])


class DeliveryIn(Body):
    method: DeliveryMethodId
    price: AmountOrZero = Field(examples=["0.00"])
    #: In the past it would silently mean "send now", so it is checked.
    delivery_date: Day | None = Field(
        None,
        alias="date",
        description="From today to a year ahead; at once without it.",
    )
    address: AddressIn | None = Field(
        None, description="Required where the method is posted."
    )


class PlaceOrder(Body):
    reference: Reference
    items: list[ItemIn] = Field(min_length=1, max_length=100)
    customer: CustomerIn
    delivery: DeliveryIn
    payment_method: Whole | None = Field(
        None, description="One of `payment-methods`; the shop's own without it."
    )
    dry_run: StrictBool = Field(
        False, description="Find what is wrong with it, and sell nothing."
    )
    site: Text | None = SITE


class OrderItemOut(Schema):
    product: int
    price: Money
    persons: int | None
    voucher_no: str | None = Field(
        repr=False,
        description="Money: keep it out of logs and pages. Null until it is placed, or "
        "where Smart Gift made the number and did not say it.",
    )


class OrderOut(Schema):
    """A sale of vouchers, and where it stands."""

    reference: str = Field(examples=["order-1043"])
    status: Annotated[str, word(OrderStatus)]
    order_id: str | None = Field(description="Smart Gift's; null while not known.")
    items: list[OrderItemOut]
    code: str | None = Field(None, description="Why it is not placed (yet).")

    @classmethod
    def of(cls, order: ledger.Order) -> "OrderOut":
        return cls.model_validate(representations.of_order(order))


class PaymentMethodOut(Schema):
    id: int
    name: str


class PaymentMethodsOut(Schema):
    items: list[PaymentMethodOut]


# -- catalogue ----------------------------------------------------------------


class VoucherOut(Schema):
    """A product of Smart Gift's catalogue."""

    id: int = Field(
        description="Smart Gift's id: the `product` of an order's item.", examples=[37]
    )
    title: str = Field(examples=["A day at the mill"])
    type: Annotated[str, word(ProductType)]
    description_html: str = Field(
        description="Sanitised.", examples=["<p>With tea.</p>"]
    )
    price: Money | None = Field(description="Of an experience, for one person.")
    min: Money | None = Field(description="The least that a monetary one is sold for.")
    max: Money | None = Field(description="The most that it is sold for.")
    increment: Money | None = Field(description="The steps in between.")
    persons_min: int | None
    persons_max: int | None
    available_count: int | None = Field(
        description="Stock; null where it is not counted."
    )
    available: bool = Field(description="Whether it can be bought now.")
    image: str | None
    url: str | None = Field(
        description="Its page; null where the site has no page for it."
    )


class VouchersOut(Schema):
    count: int = Field(description="Of all that match, not only of this page.")
    items: list[VoucherOut]


# -- health -------------------------------------------------------------------


class CheckOut(Schema):
    status: Literal["ok", "degraded"]
    counts: dict[str, Any] | None = Field(None, description="For a server key.")


class HealthOut(Schema):
    status: Literal["ok", "degraded"]
    checks: dict[str, CheckOut]


class FieldOut(Schema):
    field: str = Field(description="Dotted.", examples=["items.0.price"])
    message: str = Field(description="For the customer, in their language.")


class ProblemOut(Schema):
    """An RFC 9457 problem document."""

    type: str = Field(
        description="A name of the kind of problem, not an address.",
        examples=["tag:wagtail-smartgift,2026:invalid"],
    )
    title: str
    status: int
    detail: str = Field(description="For the customer, in their language.")
    code: Annotated[
        str, WithJsonSchema({"type": "string", "enum": list(ERROR_CODES)})
    ] = Field(description="Decide by this.")
    errors: Annotated[
        list[FieldOut] | None,
        WithJsonSchema({"type": "array", "items": FieldOut.model_json_schema()}),
    ] = Field(None, description="What is wrong with which field.")

"""What Smart Gift answers, as frozen models; nothing secret is in their ``repr``."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from wagtail_smartgift.client import inferred
from wagtail_smartgift.client.schemas.fields import (
    Answer,
    Flag,
    Integer,
    LooseInteger,
    OptionalInteger,
    OptionalMoney,
    OptionalText,
    OptionalWhen,
    Text,
    as_list,
    whole_number,
)
from wagtail_smartgift.money import parse_provider_money
from wagtail_smartgift.redaction import Secret


class CatalogueVoucher(Answer):
    """A product of ``/vouchers``.

    ``status`` is empty in the older answers that have none. ``value`` is the price of
    an experience; ``min``, ``max`` and ``increments`` belong to monetary ones.
    """

    id: Integer = Field(gt=0)
    title: Text
    type: Text = Field(min_length=1)
    status: OptionalText = ""
    selling_description: OptionalText = ""
    value: OptionalMoney = None
    min: OptionalMoney = None
    max: OptionalMoney = None
    increments: OptionalMoney = None
    persons_min: OptionalInteger = None
    persons_max: OptionalInteger = None
    #: Stock left; None when Smart Gift does not count it.
    available_count: OptionalInteger = None
    #: Validity, in years as far as can be told; only in the older answers.
    expiry: LooseInteger = None
    image: OptionalText = ""
    created_at: OptionalWhen = None
    updated_at: OptionalWhen = None


@dataclass(frozen=True)
class Catalogue:
    """What ``/vouchers`` lists, as far as it is not known yet."""

    #: Each listed product's digest: of everything about it that is read.
    digests: Mapping[int, str]
    #: The products whose digests were not known.
    news: tuple[CatalogueVoucher, ...]


class PaymentMethod(Answer):
    """A way of paying that an order of ``/pos-sale`` names by its id."""

    id: Integer = Field(gt=0)
    name: OptionalText = ""


class Experience(Answer):
    """One part of an experience voucher; ``bit_value`` is a flag and never money."""

    bit_value: Integer = Field(gt=0)
    id: LooseInteger = None
    name: OptionalText = ""
    description: OptionalText = ""


class DatedAnswer(Answer):
    """An answer with Smart Gift's clock when it was given.

    ``answered_at`` (aware) is from the answer's headers and not its body; None where
    they do not tell.
    """

    answered_at: dt.datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_date(cls, answer: Any) -> Any:
        if not isinstance(answer, Mapping):
            return answer
        return {name: value for name, value in answer.items() if name != "answered_at"}


class VoucherState(DatedAnswer):
    """What ``/redeem/check`` says of a voucher.

    ``remaining_value`` is money for a monetary voucher and the sum of the remaining
    ``bit_value`` for an experience. ``held`` is None where the answer does not say (the
    older generation); a ``held_until`` that cannot be read still counts as held. It is
    naive where Smart Gift sent no offset.
    """

    id: LooseInteger = None
    name: OptionalText = ""
    description: OptionalText = ""
    voucher_no: OptionalText = Field(default="", repr=False)
    type: Text = Field(min_length=1)
    remaining_value: Decimal
    available_to_redeem: Decimal | None = None
    sold_out: Flag = False
    experiences: tuple[Experience, ...] = ()
    held: bool | None = None
    held_until: OptionalWhen = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, answer: Any) -> Any:
        if not isinstance(answer, Mapping):
            return answer
        read = dict(answer)
        word = read.get("type")
        kind = word.strip().lower() if isinstance(word, str) else ""
        read["type"] = kind
        number = whole_number if kind == "experience" else parse_provider_money
        remaining = Decimal(number(read.get("remaining_value")))
        if remaining < 0:
            raise ValueError("remaining_value is negative")
        read["remaining_value"] = remaining
        read["available_to_redeem"] = _available(read.get("available_to_redeem"))
        read["experiences"] = as_list(read.get("experiences"))
        read["held"] = None
        if "held_until" in read:
            read["held"] = read["held_until"] not in (None, "", False)
        return read


class HoldReceipt(DatedAnswer):
    """The right to redeem or release a held voucher; a secret."""

    hold_token: Annotated[str, Field(min_length=1), AfterValidator(Secret)] = Field(
        repr=False
    )


class RedeemReceipt(Answer):
    """The ids of what was redeemed: the only handle for undoing it."""

    redemptions: tuple[int | str, ...] = Field(min_length=1)


class UnifiedReceipt(Answer):
    """What ``/redeem-unified`` took; ``amount`` is None where the answer hides it.

    ``redemptions`` is empty only where the answer says that nothing was taken.
    """

    redemptions: tuple[int | str, ...]
    amount: Decimal | None = None


class SaleReceipt(Answer):
    """The order that a sale made, and the voucher numbers if the answer names them."""

    order_id: Text = Field(min_length=1)
    reference: OptionalText = ""
    codes: tuple[str, ...] = Field(default=(), repr=False)


def _available(value: object) -> Decimal | None:
    if isinstance(value, Mapping):
        found = (value.get(key) for key in inferred.AVAILABLE_TO_REDEEM_KEYS)
        value = next((item for item in found if item is not None), None)
    try:
        return parse_provider_money(value)
    except ValueError:
        return None

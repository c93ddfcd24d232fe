"""Reads whole answers, wherever the docs' generations put what they hold.

A reader raises ``ValueError`` for what it does not understand. Which reader belongs to
which call, and what that means for the money, is for the caller to say.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter

from wagtail_smartgift.client import inferred
from wagtail_smartgift.client.schemas.answers import (
    Catalogue,
    CatalogueVoucher,
    HoldReceipt,
    PaymentMethod,
    RedeemReceipt,
    SaleReceipt,
    UnifiedReceipt,
    VoucherState,
)
from wagtail_smartgift.client.schemas.fields import as_list, storable, whole_number
from wagtail_smartgift.money import parse_provider_money


#: Characters of an id that is text; Smart Gift's are numbers.
_LONGEST_ID = 64


#: Bytes of a digest; 60 characters leave its keeper room for a mark of its own.
_DIGEST_BYTES = 30


Json = Mapping[str, Any]


def unwrap(body: object) -> object:
    """Take off the ``data`` envelope that some endpoints have."""
    if isinstance(body, Mapping) and body.get("data") is not None:
        return body["data"]
    return body


def read_catalogue(body: object) -> list[CatalogueVoucher]:
    """Read all of ``/vouchers`` or nothing: half a catalogue would take goods off sale.

    Raises:
        ValueError: the answer, or one product in it, is not understood.
    """
    return _unique(_items(body, lists=(), model=CatalogueVoucher))


def read_catalogue_news(body: object, known: Mapping[str, int]) -> Catalogue:
    """Read all of ``/vouchers`` or nothing, and products that are known not again.

    ``known`` is the id of each product by its digest. A product with a known digest
    was understood when it was new, so it is understood now.

    Raises:
        ValueError: the answer, or one product in it, is not understood.
    """
    digests: dict[int, str] = {}
    unread: dict[str, object] = {}
    for item in _listed(body, lists=()):
        digest = _digest(item)
        if digest in known:
            digests[known[digest]] = digest
        else:
            unread[digest] = item
    news = []
    vouchers = _validated(list(unread.values()), CatalogueVoucher)
    for digest, voucher in zip(unread, vouchers, strict=True):
        if digests.setdefault(voucher.id, digest) == digest:
            news.append(voucher)
        else:
            # Twice with one id; refused unless it is the same in other words.
            read_catalogue(body)
    return Catalogue(digests=digests, news=tuple(news))


def _digest(item: object) -> str:
    """Digest what is read of a product, as it was sent."""
    if not isinstance(item, Mapping):
        raise ValueError("a product is not an object")
    values = [item.get(name) for name in CatalogueVoucher.model_fields]
    content = json.dumps(values, default=str).encode()
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def read_payment_methods(body: object) -> list[PaymentMethod]:
    """Raises: ValueError: the answer, or one method in it, is not understood."""
    return _unique(
        _items(body, lists=inferred.PAYMENT_METHOD_LISTS, model=PaymentMethod)
    )


def read_check(body: object) -> VoucherState:
    """Raises: ValueError: the answer names no type or no balance."""
    return VoucherState.model_validate(unwrap(body))


def read_hold(body: object) -> HoldReceipt:
    """Raises: ValueError: there is no token in the answer."""
    return HoldReceipt.model_validate(_fields(body))


def read_done(body: object) -> None:
    """Read the answer of release and reverse, which say nothing but a message.

    Raises:
        ValueError: the answer is not an object, or lists errors.
    """
    if not isinstance(body, Mapping) or body.get("errors"):
        raise ValueError("not a confirmation")


def read_redeem(body: object) -> RedeemReceipt:
    """Raises: ValueError: there are no redemption ids in the answer."""
    return RedeemReceipt(redemptions=_redemptions(_fields(body)))


def read_unified(body: object) -> UnifiedReceipt:
    """Raises: ValueError: the answer says neither what was redeemed nor "nothing"."""
    data = _fields(body)
    amount = None
    for key in inferred.UNIFIED_AMOUNT_KEYS:
        if data.get(key) is not None:
            amount = parse_provider_money(data[key])
            break
    redemptions = _redemptions(data)
    if not redemptions and amount != 0:
        raise ValueError("no redemptions")
    return UnifiedReceipt(redemptions=redemptions, amount=amount)


def read_sale(body: object) -> SaleReceipt:
    """Raises: ValueError: the answer names no order."""
    data = _fields(body)
    codes = []
    for name in inferred.SALE_CODE_LISTS:
        items = as_list(data.get(name))
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping):
                found = (item.get(key) for key in inferred.SALE_CODE_KEYS)
                codes += [str(code) for code in found if _is_code(code)][:1]
        if codes:
            break
    return SaleReceipt.model_validate(
        {
            "order_id": data.get("order_id"),
            "reference": data.get("reference"),
            "codes": codes,
        }
    )


def _is_code(value: object) -> bool:
    """Tell whether this can be a voucher's number; nothing and ``true`` cannot."""
    if isinstance(value, str):
        return value.isprintable() and bool(value.strip())
    return isinstance(value, int) and not isinstance(value, bool)


def read_errors(body: object) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Read ``message`` and ``errors`` of a refusal; what is not there is empty."""
    if not isinstance(body, Mapping):
        return "", {}
    message = body.get("message")
    errors = body.get("errors")
    fields = {}
    if isinstance(errors, Mapping):
        for name, texts in errors.items():
            several = texts if isinstance(texts, list) else [texts]
            fields[storable(str(name))] = tuple(
                storable(text) for text in several if isinstance(text, str)
            )
    return storable(message) if isinstance(message, str) else "", fields


def _fields(body: object) -> Json:
    """Return the fields of an answer, in the envelope or beside it.

    What an answer about money says must not be lost because it stands a level higher.
    """
    if not isinstance(body, Mapping):
        raise ValueError("not an object")
    inner = body.get("data")
    return {**body, **inner} if isinstance(inner, Mapping) else body


_Item = TypeVar("_Item", CatalogueVoucher, PaymentMethod)


def _items(body: object, *, lists: Sequence[str], model: type[_Item]) -> list[_Item]:
    return _validated(_listed(body, lists=lists), model)


def _listed(body: object, *, lists: Sequence[str]) -> list[object]:
    if inferred.has_more_pages(body):
        raise ValueError("one page of several")
    found = unwrap(body)
    for name in lists:
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    # An object without keys is not a list that PHP wrote: it writes ``[]``.
    found = as_list(found) if found else found
    if not isinstance(found, list):
        raise ValueError("not a list")
    return found


def _validated(items: list[object], model: type[_Item]) -> list[_Item]:
    return TypeAdapter(list[model]).validate_python(items)  # type: ignore[valid-type] # which of the two models is known only here


def _unique(items: list[_Item]) -> list[_Item]:
    """Drop repetitions; two different items with one id cannot both be right."""
    found: dict[int, _Item] = {}
    for item in items:
        if found.setdefault(item.id, item) != item:
            raise ValueError("two different items have the same id")
    return list(found.values())


def _redemptions(data: Json) -> tuple[int | str, ...]:
    found = as_list(data.get("redemptions"))
    if not isinstance(found, list) or "redemptions" not in data:
        raise ValueError("no redemptions")
    return tuple(_redemption_id(item) for item in found)


def _redemption_id(value: object) -> int | str:
    """Keep an id as it came (a text stays a text), since it is sent back so."""
    if isinstance(value, str) and value.strip():
        if len(value) > _LONGEST_ID or not value.isprintable():
            raise ValueError("not a redemption id")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("not a redemption id")
    return whole_number(value)

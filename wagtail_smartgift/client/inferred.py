"""Every assumption about Smart Gift's API that its documentation does not state.

Where the docs are silent, cut off or contradict themselves, the guess stands here
and nowhere else, with its reason, so that one who learns better changes one line.
What is documented stands in ``schemas``.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from wagtail_smartgift.client.errors import RefusalReason, Refused
from wagtail_smartgift.redaction import Secret


# --- Names of fields that we send -----------------------------------------------------

#: inferred: the hold page says that the token serves "to redeem the voucher later" and
#: no page shows where; ``/redeem/release`` calls it this, in the body.
HOLD_TOKEN_FIELD = "hold_token"  # noqa: S105 - the name of a field, not a token

#: inferred: create-order asks for "an integer representing the payment method ID" and
#: its sample is cut; the 2021 sample of ``/sale`` names it this.
PAYMENT_METHOD_FIELD = "payment_method_id"

#: inferred: the sample of ``customer`` is cut; the rule "all required except address2"
#: names one key, and the older samples give the rest. ``phone`` is only mentioned.
CUSTOMER_FIELDS = {
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "email",
    "phone": "phone",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "county": "county",
    "postcode": "postcode",
}

#: inferred: an offline delivery needs "the full address" and the keys are cut; the 2021
#: sample has them beside the method, and today's customer has ``address1``.
DELIVERY_ADDRESS_FIELDS = {
    "first_name": "first_name",
    "last_name": "last_name",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "county": "county",
    "postcode": "postcode",
}

#: inferred: the 2021 sample writes ``2021-05-20``. Smart Gift takes a date that it
#: cannot read for "send at once", without an error.
DELIVERY_DATE_FORMAT = "%Y-%m-%d"


def delivery_method_value(method: int | str) -> int | str:
    """inferred: the method is an integer id like the payment method's; words stay."""
    if isinstance(method, str) and method.isascii() and method.isdigit():
        return int(method)
    return method


def json_number(amount: Decimal) -> int | float:
    """Return the JSON number whose text is exactly ``amount``: 10, 10.5, 25.1.

    inferred: all samples of ``value`` are JSON numbers, so no strings are sent. Up to
    fifteen digits the shortest text of a binary float is the decimal that it was made
    from, and callers have at most ten: no float artefact can reach the wire.
    """
    if amount == amount.to_integral_value():
        return int(amount)
    return float(amount)


# --- Names of fields that we read -----------------------------------------------------

#: inferred: the docs call ``available_to_redeem`` a number in the table and an object in
#: the text; the keys of the object are not shown.
AVAILABLE_TO_REDEEM_KEYS = ("value", "amount", "total", "remaining_value")

#: inferred: the answer of ``/redeem-unified`` is not shown. The docs say to take the
#: amount from it, so it is looked for under the names that Smart Gift uses elsewhere.
UNIFIED_AMOUNT_KEYS = (
    "redeemed_value",
    "value_redeemed",
    "amount_redeemed",
    "redeemed",
    "amount",
    "value",
)

#: inferred: ``/payment-methods`` is not shown; a bare array and an array under one of
#: these are accepted (``data`` is taken off before).
PAYMENT_METHOD_LISTS = ("items", "payment_methods")

#: inferred: whether a sale answers the voucher numbers is not said. Fulfilment calls a
#: voucher's number ``code``, redemption ``voucher_no``.
SALE_CODE_LISTS = ("items", "vouchers")
SALE_CODE_KEYS = ("code", "voucher_no")


def has_more_pages(body: object) -> bool:
    """Tell whether a list is one page of several.

    inferred: no pagination is documented. Should Laravel's ever be switched on, half a
    catalogue must not be taken for the whole one.
    """
    if not isinstance(body, Mapping):
        return False
    for holder in (body, body.get("links"), body.get("meta")):
        if isinstance(holder, Mapping) and (
            holder.get("next") or holder.get("next_page_url")
        ):
            return True
    return False


# --- Texts of refusals ----------------------------------------------------------------

#: The strings that are documented, without the final full stop (which comes and goes)
#: and in lower case. The key of the field is not compared: it differs between pages.
_KNOWN_TEXTS = {
    "sorry, that voucher number is invalid": RefusalReason.INVALID_VOUCHER,
    "this site number is invalid": RefusalReason.INVALID_SITE,
    "there is not enough balance on this voucher to redeem or the selected "
    "experiences have already been used": RefusalReason.NOT_ENOUGH_BALANCE,
    "voucher is already held": RefusalReason.ALREADY_HELD,
    "voucher is not held": RefusalReason.NOT_HELD,
    "please provide a valid list of redemptions to reverse": (
        RefusalReason.INVALID_REDEMPTIONS
    ),
    "please provide a valid date": RefusalReason.INVALID_DATE,
}

#: inferred: Laravel appends this to ``message`` when several fields failed.
_MORE_ERRORS = re.compile(r"\s*\(and \d+ more errors?\)$", re.IGNORECASE)

#: inferred: no page shows how a repeated ``reference`` is refused; Laravel's rule
#: ``unique`` says "The reference has already been taken."
_DUPLICATE = re.compile(r"already (been )?(taken|used|exists)|duplicate|unique", re.I)

#: inferred: nested fields are keyed with dots, as in ``items.0.code``.
_ITEM_CODE_FIELD = re.compile(r"(items\.\d+\.)?code")
_REFERENCE_FIELD = "reference"
#: inferred: a refusal in words that we do not know still names what it is about.
_REFERENCE_WORD = re.compile(r"\breferences?\b", re.IGNORECASE)
_CODE_WORD = re.compile(r"\b(codes?|voucher numbers?)\b", re.IGNORECASE)
_REDEMPTIONS_FIELD = re.compile(r"redemptions(\.\d+)?")
_DATE_FIELD = re.compile(r"(delivery\.)?(delivery_)?date")


def refusal_reason(
    message: str, fields: Mapping[str, tuple[str, ...]]
) -> RefusalReason:
    """Read a refusal: by a documented text first, by the name of its field second.

    The first text of a field is the one that matters (documented); ``message`` is only
    asked when no field has one that is known.
    """
    texts = [(field, texts[0]) for field, texts in fields.items() if texts]
    for _, text in [*texts, ("", message)]:
        reason = _KNOWN_TEXTS.get(_comparable(text))
        if reason is not None:
            return reason
    for field, text in texts:
        if field == _REFERENCE_FIELD and _DUPLICATE.search(text):
            return RefusalReason.DUPLICATE_REFERENCE
        if _ITEM_CODE_FIELD.fullmatch(field):
            return RefusalReason.INVALID_CODE
        if _REDEMPTIONS_FIELD.fullmatch(field):
            return RefusalReason.INVALID_REDEMPTIONS
        if _DATE_FIELD.fullmatch(field):
            return RefusalReason.INVALID_DATE
    return RefusalReason.UNKNOWN


def is_about_reference(error: Refused) -> bool:
    """Tell whether a sale's refusal says a word about its reference, whichever word."""
    return (
        error.reason is RefusalReason.DUPLICATE_REFERENCE
        or any(name.split(".")[0] == _REFERENCE_FIELD for name in error.fields)
        or _REFERENCE_WORD.search(error.message) is not None
    )


def is_about_code(error: Refused) -> bool:
    """Tell whether a sale's refusal says a word about a number that we chose."""
    return (
        error.reason in {RefusalReason.INVALID_CODE, RefusalReason.INVALID_VOUCHER}
        or any(_ITEM_CODE_FIELD.fullmatch(name) for name in error.fields)
        or _CODE_WORD.search(error.message) is not None
    )


def _comparable(text: str) -> str:
    text = Secret(_MORE_ERRORS.sub("", text.strip()))
    return " ".join(text.removesuffix(".").split()).casefold()


def is_about_the_key(message: str, fields: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether a 422 is about our key.

    inferred: a bad key is documented as "the header is missing or incorrect", without a
    status; almost every error of Smart Gift is a 422, so this may be one.
    """
    texts = [message, *fields, *(text for texts in fields.values() for text in texts)]
    return any("smart-auth" in text.lower().replace("_", "-") for text in texts)


# --- Statuses ---------------------------------------------------------------------------

#: inferred: only 422 is documented. These are said before the body of a request has
#: been handled (unreadable, too long, wrong media type), so nothing can be applied. Any
#: other 4xx that is not named elsewhere (408, 409, 425 …) leaves the outcome unknown.
REFUSED_UNREAD = frozenset({400, 411, 413, 414, 415, 417, 431})

#: inferred: Laravel's answers to a key that is not accepted.
UNAUTHORISED = frozenset({401, 403})

#: inferred: Laravel's answers to a path or method that it does not know.
MISROUTED = frozenset({404, 405})

#: Seconds to wait after a 429 that does not say: the longer of the two windows that the
#: docs give (half a minute, a minute).
RATE_LIMIT_PAUSE = 60.0

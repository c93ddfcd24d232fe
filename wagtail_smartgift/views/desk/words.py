"""The journals' words as sentences for staff.

Journals keep short words of our own (``no_answer``), never Smart Gift's text. Every
one that ``services`` write has its sentence here; a test compares the two.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from wagtail_smartgift.choices import AttentionReason, Operation, Verdict
from wagtail_smartgift.exceptions import ERROR_CODES


_REASONS: dict[str, str | Promise] = {
    # What became of a call.
    "no_answer": gettext_lazy("No answer came; it may have been done all the same."),
    "worker_died": gettext_lazy(
        "Whoever asked ended before the answer came; it may have been done."
    ),
    "not_sent": gettext_lazy("It could not be asked for; nothing was done."),
    "quota": gettext_lazy("The quota of calls was used up; nothing was done."),
    "configuration": gettext_lazy(
        "Smart Gift did not accept the shop's key, address or settings."
    ),
    "refused": gettext_lazy("Smart Gift refused it."),
    "unknown": gettext_lazy("Smart Gift refused it, in words that are new to us."),
    # Holds.
    "held": gettext_lazy("Somebody else is holding this voucher."),
    "already_held": gettext_lazy("Somebody else is holding this voucher."),
    "not_held": gettext_lazy("It was not held any more."),
    "hold_gone": gettext_lazy("The hold had ended when it was to be redeemed."),
    "over": gettext_lazy("The hold had run out by then."),
    "taken_over": gettext_lazy("Under the hold that was there already."),
    "unusable": gettext_lazy("Smart Gift does not accept this voucher."),
    # Redeeming and reversing.
    "shortfall": gettext_lazy("The voucher held less than was expected."),
    "replay": gettext_lazy("It had been redeemed: a second attempt found it spent."),
    "replay_refused": gettext_lazy("A second attempt was refused for another reason."),
    "replay_unknown": gettext_lazy("A second attempt brought no answer either."),
    "their_clock": gettext_lazy(
        "By Smart Gift’s own clock it is too early to tell. It is looked at again."
    ),
    "not_applied": gettext_lazy("It was not redeemed: the balance is what it was."),
    "reversed_before": gettext_lazy("An earlier attempt had reversed it."),
    # Sales.
    "found": gettext_lazy("Its first voucher exists, so it was sold."),
    "not_found": gettext_lazy("Its first voucher is not known to Smart Gift."),
    "not_sold": gettext_lazy("It was certainly not sold, and is sent again."),
    "code_refused": gettext_lazy(
        "Smart Gift takes no voucher numbers of ours; it is sent without them."
    ),
    "invalid_code": gettext_lazy("Smart Gift refused the voucher number of ours."),
    "duplicate_reference": gettext_lazy("Smart Gift knows this reference already."),
    "invalid_date": gettext_lazy("Smart Gift refused the date of delivery."),
    "invalid_voucher": gettext_lazy("Smart Gift does not know this voucher."),
    "invalid_site": gettext_lazy("Smart Gift does not know the site number."),
    "not_enough_balance": gettext_lazy("The voucher exists, and is spent."),
    "invalid_redemptions": gettext_lazy("Smart Gift does not know the redemption ids."),
    # What of an order was refused (``VoucherOrder.refusal``).
    "items": gettext_lazy("Smart Gift refused one of the vouchers."),
    "customer": gettext_lazy("Smart Gift refused the buyer's details."),
    "delivery": gettext_lazy("Smart Gift refused the delivery details."),
    "payment_method_id": gettext_lazy("Smart Gift refused the payment method."),
    "other": gettext_lazy("Smart Gift refused the order."),
}

#: What is sooner said by a person who looks, than to a customer who waits.
_CODES: dict[str, str | Promise] = {
    "busy": gettext_lazy("The quota of calls to Smart Gift was used up."),
    "smartgift_unavailable": gettext_lazy("Smart Gift could not be reached."),
}

#: What the journal of an order records.
ORDER_OPERATIONS: dict[str, str | Promise] = {
    "place": pgettext_lazy("order operation", "Place the order"),
    "check": pgettext_lazy("order operation", "Ask what became of it"),
    "settle": Operation.SETTLE.label,
}


def reason(code: str) -> str | Promise:
    """Say a journal's word; the word itself, should it have no sentence."""
    if code in _REASONS:
        return _REASONS[code]
    if code in _CODES:
        return _CODES[code]
    if code in AttentionReason.values:
        return AttentionReason(code).label
    if code in Verdict.values:
        return Verdict(code).label
    if code in ERROR_CODES:
        return ERROR_CODES[code][1]
    return code


#: What is better said of a number that was looked up: more is known, or less.
_LOOK_UPS: dict[str, str | Promise] = {
    "invalid_voucher": gettext_lazy(
        "Smart Gift refuses it: it is unknown, used up, has run out, or is not for "
        "this site."
    ),
}


def why_not_told(code: str) -> str | Promise:
    """Say why Smart Gift tells nothing of a number (``enquiry.Answer.reason``)."""
    return _LOOK_UPS.get(code) or reason(code)


def why_a_person(code: str) -> str | Promise:
    """Say why only a person can decide (``attention_code``)."""
    return AttentionReason(code).label if code in AttentionReason.values else code

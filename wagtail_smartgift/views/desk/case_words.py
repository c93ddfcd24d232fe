"""What staff are told of a case: what happened, where to look, and what follows.

A sentence for everything that can be chosen, before it is confirmed: a wrong answer must
not make money vanish without anybody having been told.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_smartgift.choices import AttentionReason, Verdict
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.services import evidence
from wagtail_smartgift.services.evidence import Case, Question, Sequel


#: reason -> what to look up in Smart Gift's dashboard.
LOOK_UP: Mapping[str, str | Promise] = {
    AttentionReason.BALANCE_MOVED: gettext_lazy(
        "Open the voucher in Smart Gift's dashboard and look at its redemptions around "
        "the time below. Is there one of exactly this amount that no till of yours has "
        "made? Then it was redeemed, and its number is the redemption id."
    ),
    AttentionReason.UNREADABLE: gettext_lazy(
        "Open the voucher in Smart Gift's dashboard. It has expired, or is blocked, so "
        "only the dashboard shows whether there is a redemption of this amount at the "
        "time below."
    ),
    AttentionReason.UNREACHABLE: gettext_lazy(
        "Smart Gift could not be asked for a long time. See whether it answers now, then "
        "look in its dashboard for a redemption, or its reversal, at the time below."
    ),
    AttentionReason.IDS_LOST: gettext_lazy(
        "It was redeemed, and the answer with its redemption ids was lost. Find the "
        "redemption in Smart Gift's dashboard: either reverse it there, or enter its "
        "redemption ids here, and it is reversed from here."
    ),
    AttentionReason.REVERSE_REFUSED: gettext_lazy(
        "Smart Gift does not reverse it, for instance because the voucher has expired. "
        "Open the voucher in the dashboard, see why, and reverse the redemption there, "
        "or mend what is in the way and try again from here."
    ),
    AttentionReason.REVERSE_REFUSED_IDS: gettext_lazy(
        "Smart Gift does not know the redemption ids below. Find the redemption in the "
        "dashboard: has somebody reversed it already? If not, enter the ids that the "
        "dashboard shows."
    ),
    AttentionReason.REMAINDER_NOT_REDEEMED: gettext_lazy(
        "A partial refund reverses all of a redemption and redeems the rest again. That "
        "failed: the customer has got more back than was asked for. See in the dashboard "
        "what is left on the voucher, and speak with the customer."
    ),
    AttentionReason.LATE_ANSWER: gettext_lazy(
        "Smart Gift confirmed a redemption when the payment did not ask for it any more. "
        "Look at the redemptions with the ids below in the dashboard."
    ),
    AttentionReason.UNDECRYPTABLE: gettext_lazy(
        "The voucher's number cannot be read, because the key that it was stored with is "
        "not configured any more. Putting the key back is the best way. Otherwise look "
        "for the amount and the time below in the dashboard."
    ),
    AttentionReason.BOOKS_DIFFER: gettext_lazy(
        "What is stored about it is not what its journal adds up to: a fault of the "
        "plugin, or somebody has changed the database by hand. Tell your developers, and "
        "see in the dashboard whether it is redeemed for this payment."
    ),
    AttentionReason.REFUND: gettext_lazy(
        "Nothing of this payment is in doubt any more."
    ),
    AttentionReason.SALE_UNKNOWN: gettext_lazy(
        "Search Smart Gift's dashboard for an order with the reference below, or for its "
        "vouchers, around that time."
    ),
    AttentionReason.REFERENCE_TAKEN: gettext_lazy(
        "Smart Gift says that there is an order with the reference below. Open it in the "
        "dashboard: is it this order, or another one?"
    ),
    AttentionReason.SOLD_TWICE: gettext_lazy(
        "Search Smart Gift's dashboard for orders with the reference below. If there are "
        "two, cancel one of them there, and enter here the one that stands."
    ),
}

#: The same of an experience voucher, where that is not looked for by an amount.
_LOOK_UP_EXPERIENCE: Mapping[str, str | Promise] = {
    AttentionReason.BALANCE_MOVED: gettext_lazy(
        "Open the voucher in Smart Gift's dashboard and look at its redemptions around "
        "the time below. Is there one of exactly these experiences that no till of yours "
        "has made? Then it was redeemed, and its number is the redemption id."
    ),
    AttentionReason.UNREADABLE: gettext_lazy(
        "Open the voucher in Smart Gift's dashboard. It has expired, or is blocked, so "
        "only the dashboard shows whether these experiences were redeemed at the time "
        "below."
    ),
}

#: (question, verdict) -> what the button says, where the verdict alone is not clear.
_LABELS: Mapping[tuple[Question, Verdict], str | Promise] = {
    (Question.REST, Verdict.NOT_REDEEMED): gettext_lazy(
        "Leave it: all of it was refunded"
    ),
    (Question.REST, Verdict.REDEEMED): gettext_lazy(
        "The rest was redeemed in the dashboard"
    ),
    (Question.LATE, Verdict.REDEEMED): gettext_lazy("It pays for this order"),
    (Question.BOOKS, Verdict.REDEEMED): gettext_lazy("It is redeemed"),
    (Question.BOOKS, Verdict.NOT_REDEEMED): gettext_lazy("It is not redeemed"),
}

#: Why a verdict was not taken.
PROBLEMS: Mapping[str, str | Promise] = {
    "not_offered": gettext_lazy("This cannot be said of this case."),
    "ids_needed": gettext_lazy("Enter the redemption ids."),
    "ids_of_another": gettext_lazy(
        "One of these ids is that of another payment with this voucher."
    ),
    "number_in_note": gettext_lazy("Leave the voucher's number out of the reason."),
    "number_as_id": gettext_lazy(
        "This is a voucher's number. Enter the redemption ids."
    ),
    "number_as_order": gettext_lazy(
        "This is a voucher's number. Enter the number of the order."
    ),
    "number_too_long": gettext_lazy("No voucher number is as long as that."),
    "number_of_another": gettext_lazy(
        "One of these vouchers was sold in another order."
    ),
    "foreign": gettext_lazy(
        "This was made with another Smart Gift key or address than is configured now. "
        "Settle it where that one is configured."
    ),
    "in_use": gettext_lazy(
        "Somebody is paying with this voucher at this moment. Try again in five minutes."
    ),
}


def why(code: str) -> str:
    """Return the sentence for a reason; the word itself where there is none."""
    return str(dict(AttentionReason.choices).get(code, code))


def look_up(code: str, *, is_experience: bool = False) -> str:
    """Return what to look up for a reason; empty where there is nothing."""
    if is_experience and code in _LOOK_UP_EXPERIENCE:
        return str(_LOOK_UP_EXPERIENCE[code])
    return str(LOOK_UP.get(code, ""))


def label(case: Case, verdict: Verdict) -> str:
    return str(_LABELS.get((case.question, verdict), verdict.label))


def takes_ids(case: Case, verdict: Verdict) -> bool:
    """Tell whether the person may know redemption ids with this verdict."""
    asks = verdict in {Verdict.REDEEMED, Verdict.IDS_ARE}
    return asks and case.question is not Question.LATE


# -- what follows ------------------------------------------------------------------


def consequences(case: Case, verdict: Verdict) -> list[str]:
    """Say what a verdict does, step by step, before it is confirmed."""
    said = [_of_voucher(case, verdict)]
    others = case.others()
    if others:
        said.append(
            ngettext(
                "Another voucher of this payment waits for a person too. The payment "
                "goes on when that is settled.",
                "%(count)d other vouchers of this payment wait for a person too. The "
                "payment goes on when all are settled.",
                len(others),
            )
            % {"count": len(others)}
        )
    else:
        said.append(str(SEQUELS[evidence.sequel_of(case, verdict)]))
    return said


def warning(case: Case, verdict: Verdict) -> str:
    """Say what was seen that speaks against a verdict; empty if nothing does."""
    if not case.contradicts(verdict):
        return ""
    if verdict is Verdict.REDEEMED:
        return _(
            "Its balance was last seen to be higher than it should be after this "
            "redemption. If it was not redeemed, the order is treated as paid, and the "
            "voucher can be spent a second time."
        )
    return _(
        "Its balance was last seen to have changed. If it was redeemed after all, this "
        "customer's money is gone from the voucher and nothing has been paid with it."
    )


def _of_voucher(case: Case, verdict: Verdict) -> str:
    values = {
        "voucher": case.row.display_code,
        "amount": format_price(case.row.amount, case.session.currency),
        "rest": format_price(case.rest, case.session.currency),
    }
    return str(_voucher_sentence(case, verdict)) % values


def _voucher_sentence(case: Case, verdict: Verdict) -> str:
    if case.question is Question.REST and verdict is Verdict.NOT_REDEEMED:
        return _(
            "Nothing more is taken from voucher %(voucher)s: the customer keeps what was "
            "given back too much."
        )
    if verdict is Verdict.REVERSED and case.rest:
        return _(
            "Voucher %(voucher)s counts as reversed in full. %(rest)s of it was to stay "
            "redeemed, and is redeemed again now."
        )
    return _VOUCHER[verdict]()


_VOUCHER = {
    Verdict.REDEEMED: lambda: _("%(amount)s of voucher %(voucher)s count as redeemed."),
    Verdict.NOT_REDEEMED: lambda: _(
        "Voucher %(voucher)s counts as not redeemed: nothing was taken from it."
    ),
    Verdict.REVERSED: lambda: _(
        "%(amount)s count as given back onto voucher %(voucher)s."
    ),
    Verdict.PAID_BACK: lambda: _(
        "Voucher %(voucher)s counts as given back, and stays redeemed at Smart Gift: "
        "%(amount)s must have reached the customer another way."
    ),
    Verdict.NOT_REVERSED: lambda: _(
        "Smart Gift is asked again to reverse %(amount)s of voucher %(voucher)s."
    ),
    Verdict.IDS_ARE: lambda: _(
        "Smart Gift is asked to reverse the redemptions with these ids, which gives "
        "%(amount)s back onto voucher %(voucher)s."
    ),
    Verdict.TRY_REST: lambda: _(
        "%(amount)s are redeemed from voucher %(voucher)s again, if it still holds as "
        "much. Otherwise it comes back to this list."
    ),
    Verdict.GIVE_BACK: lambda: _(
        "Smart Gift is asked to reverse what was taken from voucher %(voucher)s."
    ),
    Verdict.EXTRA_REVERSED: lambda: _(
        "Of the two redemptions of voucher %(voucher)s one counts as reversed, and "
        "%(amount)s stay redeemed."
    ),
}


#: What becomes of the payment.
SEQUELS: Mapping[Sequel, str | Promise] = {
    Sequel.REFUND_GOES_ON: gettext_lazy(
        "The refund goes on, and the shop is told when it is done."
    ),
    Sequel.CANCELLATION_GOES_ON: gettext_lazy(
        "The cancellation goes on, and the shop is told when it is done."
    ),
    Sequel.CONFIRMED_AS_BEFORE: gettext_lazy(
        "The payment counts as confirmed, as before, and the shop is told."
    ),
    Sequel.OPENS: gettext_lazy(
        "The payment opens again: the customer can pay anew, and the shop is told."
    ),
    Sequel.CONFIRMED: gettext_lazy(
        "The payment is confirmed, and the shop is told: it counts as paid."
    ),
    Sequel.OTHERS_FIRST: gettext_lazy(
        "The payment's other vouchers are redeemed, and then it is confirmed."
    ),
    Sequel.ALL_UNDONE: gettext_lazy(
        "The payment's other vouchers were not redeemed in time. So all is given "
        "back, and the payment opens again. Without redemption ids this voucher "
        "comes back to this list, to be reversed in the dashboard."
    ),
    Sequel.REDEEMED_ANEW: gettext_lazy(
        "It is redeemed anew at once, and then the payment is confirmed."
    ),
    Sequel.OTHERS_UNDONE: gettext_lazy(
        "Too much time has passed: what its other vouchers have paid is given back, "
        "the payment opens again, and the shop is told that it is not paid."
    ),
    Sequel.TOO_LATE: gettext_lazy(
        "Too much time has passed to redeem it now: the payment opens again, and the "
        "shop is told that it is not paid."
    ),
}


# -- voucher orders ----------------------------------------------------------------


ORDER_CONSEQUENCES: Mapping[Verdict, str | Promise] = {
    Verdict.SOLD: gettext_lazy(
        "The order counts as sold, and the shop is told so. If it was not, the buyer has "
        "paid and gets nothing."
    ),
    Verdict.NOT_SOLD: gettext_lazy(
        "The order is sent to Smart Gift now, with the same reference and voucher "
        "numbers. If it was sold before, its vouchers may be sold twice."
    ),
    Verdict.GIVEN_UP: gettext_lazy(
        "The order counts as refused, and the shop is told that it failed: it should "
        "refund the buyer. If it was sold after all, the buyer has the vouchers too."
    ),
    Verdict.LOOK_AGAIN: gettext_lazy(
        "Smart Gift is asked for the order's first voucher again. Nothing is sold by "
        "that, and what cannot be found out comes back to this list."
    ),
}

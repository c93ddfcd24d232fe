"""Why a catalogue was left as it is: a word to keep, and a sentence for whoever reads it.

A worker speaks another language than the person who looks weeks later, so rows and logs
keep the word. What is not a word of ours is told as it stands: rows of former versions
keep sentences.
"""

from enum import Enum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift import client as smartgift
from wagtail_smartgift.conf import get_conf


class SyncFailure(str, Enum):
    UNAUTHORISED = "unauthorised"
    MISROUTED = "misrouted"
    #: The quota of calls was used up.
    QUOTA = "quota"
    #: The call did not leave: nobody listens there.
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    #: The answer broke off, or could not be understood.
    UNREADABLE = "unreadable"
    WRONG_NUMBER = "wrong_number"
    #: No product at all, where there were some.
    EMPTY = "empty"
    #: The account is not configured (any more).
    NO_ACCOUNT = "no_account"
    #: The plugin itself failed.
    FAULT = "fault"


_SENTENCES: dict[SyncFailure, Promise | str] = {
    SyncFailure.UNAUTHORISED: _(
        "Smart Gift does not accept the key of the account “%(account)s”. Check its "
        "API_KEY."
    ),
    SyncFailure.MISROUTED: _(
        "%(url)s is not Smart Gift's API. Check the account's BASE_URL."
    ),
    SyncFailure.QUOTA: _(
        "The quota of calls to Smart Gift is used up at the moment. Try again in a "
        "minute."
    ),
    SyncFailure.NOT_SENT: _(
        "%(url)s cannot be reached. Check the account's BASE_URL and the network, then "
        "try again."
    ),
    SyncFailure.REFUSED: _("Smart Gift refused to answer. Ask Smart Gift's support."),
    SyncFailure.UNREADABLE: _(
        "Smart Gift's answer broke off or could not be understood. Try again later; if "
        "it stays so, ask Smart Gift's support."
    ),
    SyncFailure.WRONG_NUMBER: _(
        "Smart Gift's answer has a product number that is not one."
    ),
    SyncFailure.EMPTY: _(
        "Smart Gift lists no products, but there were some. If there really are none "
        "any more, run smartgift_sync --allow-empty."
    ),
    SyncFailure.NO_ACCOUNT: _(
        "The account “%(account)s” is not configured (any more)."
    ),
    SyncFailure.FAULT: _("The plugin itself failed. The log says why."),
}


def failure_of(error: smartgift.SmartGiftError) -> SyncFailure:
    """Return the word for what became of a call."""
    for kinds, failure in (
        (smartgift.Unauthorised, SyncFailure.UNAUTHORISED),
        (smartgift.Misrouted, SyncFailure.MISROUTED),
        (smartgift.CircuitOpen, SyncFailure.NOT_SENT),
        ((smartgift.RateLimited, smartgift.CallNotAllowed), SyncFailure.QUOTA),
        (smartgift.NotSent, SyncFailure.NOT_SENT),
        (smartgift.Refused, SyncFailure.REFUSED),
    ):
        if isinstance(error, kinds):
            return failure
    return SyncFailure.UNREADABLE


def in_words(failure: str, *, account: str) -> str:
    """Say why an account's catalogue was left as it is, and who can do what about it.

    Free of any secret. Empty where nothing failed.
    """
    try:
        sentence = _SENTENCES[SyncFailure(failure)]
    except ValueError:
        return failure
    known = get_conf().accounts.get(account)
    return str(sentence) % {
        "account": account,
        "url": known.base_url if known else account,
    }

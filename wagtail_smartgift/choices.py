"""The closed vocabularies of the plugin.

Every status that is stored, returned by the API or shown in the admin is one of
these. Words of the provider never appear here: ``client`` translates them.
"""

from enum import IntEnum

from django.db import models
from django.utils.translation import pgettext_lazy


class Lane(IntEnum):
    """How urgently a call needs a place in the shared quota; lower goes first."""

    #: Finishing what has begun: redeem, reverse, release, looking again.
    MONEY = 0
    #: A customer's first hold and its check, and sales.
    CHECKOUT = 1
    #: Balance look-ups.
    LOOKUP = 2
    #: The catalogue and the payment methods.
    CATALOGUE = 3


class ProductType(models.TextChoices):
    MONETARY = "monetary", pgettext_lazy("voucher type", "Monetary")
    EXPERIENCE = "experience", pgettext_lazy("voucher type", "Experience")
    UNKNOWN = "unknown", pgettext_lazy("voucher type", "Unknown")


class ProductStatus(models.TextChoices):
    """Smart Gift's word for where a product may be sold."""

    ACTIVE = "active", pgettext_lazy("product status", "Active")
    HIDDEN = "hidden", pgettext_lazy("product status", "Hidden")
    DISABLED = "disabled", pgettext_lazy("product status", "Disabled")
    AT_COUNTER_ONLY = (
        "at_counter_only",
        pgettext_lazy("product status", "At the counter only"),
    )
    #: Any word that we do not know yet: kept off sale until somebody looks.
    UNKNOWN = "unknown", pgettext_lazy("product status", "Unknown")


class Classification(models.TextChoices):
    """Smart Gift's kinds of revenue centres, in its own words: each experience has one."""

    ACCOMMODATION = "accommodation", pgettext_lazy("classification", "Accommodation")
    FOOD_AND_BEVERAGE = (
        "food_and_beverage",
        pgettext_lazy("classification", "Food and drink"),
    )
    EVENTS = "events", pgettext_lazy("classification", "Events")
    SPA = "spa", pgettext_lazy("classification", "Spa")
    SUNDRY = "sundry", pgettext_lazy("classification", "Sundry")


class Availability(models.TextChoices):
    """Whether a product can be bought here and now, and if not, why."""

    ON_SALE = "on_sale", pgettext_lazy("availability", "On sale")
    SOLD_OUT = "sold_out", pgettext_lazy("availability", "Sold out")
    AT_COUNTER_ONLY = (
        "at_counter_only",
        pgettext_lazy("availability", "Only sold at the counter"),
    )
    #: Switched off, of a kind we do not know, or without terms that can be read.
    OFF_SALE = "off_sale", pgettext_lazy("availability", "Not on sale")
    #: No longer in Smart Gift's catalogue.
    GONE = "gone", pgettext_lazy("availability", "No longer sold")


class ChangedField(models.TextChoices):
    """What of a product a sync noticed to be different; see ``ProductChange``."""

    TITLE = "title", pgettext_lazy("product field", "Title")
    DESCRIPTION = "description", pgettext_lazy("product field", "Description")
    TYPE = "type", pgettext_lazy("product field", "Type")
    PRICE = "price", pgettext_lazy("product field", "Price")
    MIN_AMOUNT = "min_amount", pgettext_lazy("product field", "Smallest amount")
    MAX_AMOUNT = "max_amount", pgettext_lazy("product field", "Largest amount")
    INCREMENT = "increment", pgettext_lazy("product field", "Step between amounts")
    PERSONS_MIN = "persons_min", pgettext_lazy("product field", "Fewest people")
    PERSONS_MAX = "persons_max", pgettext_lazy("product field", "Most people")
    #: Smart Gift's word; what follows from it here is the availability.
    STATUS = "status", pgettext_lazy("product field", "Status at Smart Gift")
    AVAILABILITY = "availability", pgettext_lazy("product field", "Availability")
    IMAGE = "image", pgettext_lazy("product field", "Picture")


class SessionStatus(models.TextChoices):
    """Where a payment session stands, and so which verbs it answers."""

    OPEN = "open", pgettext_lazy("payment status", "Open")
    CONFIRMING = "confirming", pgettext_lazy("payment status", "Confirming")
    CONFIRMED = "confirmed", pgettext_lazy("payment status", "Confirmed")
    CANCELLING = "cancelling", pgettext_lazy("payment status", "Cancelling")
    REFUNDING = "refunding", pgettext_lazy("payment status", "Refunding")
    CANCELLED = "cancelled", pgettext_lazy("payment status", "Cancelled")
    NEEDS_ATTENTION = (
        "needs_attention",
        pgettext_lazy("payment status", "Needs attention"),
    )


class RedemptionStatus(models.TextChoices):
    """Where one voucher in one payment session stands."""

    HOLDING = "holding", pgettext_lazy("redemption status", "Holding")
    HELD = "held", pgettext_lazy("redemption status", "Held")
    LAPSED = "lapsed", pgettext_lazy("redemption status", "Lapsed")
    REDEEMING = "redeeming", pgettext_lazy("redemption status", "Redeeming")
    REDEEMED = "redeemed", pgettext_lazy("redemption status", "Redeemed")
    REVERSING = "reversing", pgettext_lazy("redemption status", "Reversing")
    REVERSED = "reversed", pgettext_lazy("redemption status", "Reversed")
    RELEASED = "released", pgettext_lazy("redemption status", "Released")
    REFUSED = "refused", pgettext_lazy("redemption status", "Refused")
    NEEDS_ATTENTION = (
        "needs_attention",
        pgettext_lazy("redemption status", "Needs attention"),
    )


#: A redemption in one of these may own a remote hold or money that moves, so at
#: most one of them may exist per voucher in this database.
LIVE_REDEMPTION_STATUSES = (
    RedemptionStatus.HOLDING,
    RedemptionStatus.HELD,
    RedemptionStatus.REDEEMING,
    RedemptionStatus.REVERSING,
)

#: These cover a part of what is due while the session is open. A lapsed one
#: counts: ``prepare`` takes it again.
COUNTED_REDEMPTION_STATUSES = (
    RedemptionStatus.HOLDING,
    RedemptionStatus.HELD,
    RedemptionStatus.LAPSED,
)


class Proof(models.TextChoices):
    """How we know that a redeem was applied."""

    RESPONSE = "response", pgettext_lazy("proof", "Smart Gift's answer")
    REPLAY = "replay", pgettext_lazy("proof", "A second attempt was refused as spent")
    BALANCE = "balance", pgettext_lazy("proof", "The balance fell under our hold")
    HOLD = "hold", pgettext_lazy("proof", "The redemption used up our hold")
    PERSON = "person", pgettext_lazy("proof", "A person looked")


class Operation(models.TextChoices):
    """What the journal of a redemption records."""

    HOLD = "hold", pgettext_lazy("operation", "Hold")
    CHECK = "check", pgettext_lazy("operation", "Check")
    REDEEM = "redeem", pgettext_lazy("operation", "Redeem")
    REVERSE = "reverse", pgettext_lazy("operation", "Reverse")
    RELEASE = "release", pgettext_lazy("operation", "Release")
    LAPSE = "lapse", pgettext_lazy("operation", "Lapse")
    SETTLE = "settle", pgettext_lazy("operation", "Settled by a person")


class Outcome(models.TextChoices):
    REQUESTED = "requested", pgettext_lazy("outcome", "Requested")
    SUCCEEDED = "succeeded", pgettext_lazy("outcome", "Succeeded")
    FAILED = "failed", pgettext_lazy("outcome", "Failed")
    #: The request may have been applied; only looking again can tell.
    UNKNOWN = "unknown", pgettext_lazy("outcome", "Unknown")


class OrderStatus(models.TextChoices):
    """Where a sale of vouchers stands."""

    QUEUED = "queued", pgettext_lazy("voucher order status", "Queued")
    PLACING = "placing", pgettext_lazy("voucher order status", "Placing")
    PLACED = "placed", pgettext_lazy("voucher order status", "Placed")
    REFUSED = "refused", pgettext_lazy("voucher order status", "Refused")
    NEEDS_ATTENTION = (
        "needs_attention",
        pgettext_lazy("voucher order status", "Needs attention"),
    )


class HeldUntil(models.TextChoices):
    """How ``check`` tells the end of a hold, as a probe saw it."""

    AWARE = "aware", pgettext_lazy("end of a hold", "With its time zone")
    NAIVE = "naive", pgettext_lazy("end of a hold", "Without a time zone")
    ABSENT = "absent", pgettext_lazy("end of a hold", "Not at all")
    UNREADABLE = "unreadable", pgettext_lazy("end of a hold", "Unreadably")


class OwnCodes(models.TextChoices):
    """What became of a voucher number of our own in a sale, as a probe saw it."""

    HONOURED = "honoured", pgettext_lazy("own voucher numbers", "Taken")
    IGNORED = "ignored", pgettext_lazy("own voucher numbers", "Ignored")
    REFUSED = "refused", pgettext_lazy("own voucher numbers", "Refused")


class DuplicateReference(models.TextChoices):
    """What became of a second sale of the same reference, as a probe saw it."""

    REFUSED = "refused", pgettext_lazy("second sale", "Refused")
    RENAMED = "renamed", pgettext_lazy("second sale", "A second order")
    REPEATED = "repeated", pgettext_lazy("second sale", "The first order again")


class DuplicateCode(models.TextChoices):
    """What became of a second voucher of the same number, as a probe saw it."""

    REFUSED = "refused", pgettext_lazy("second voucher", "Refused")
    REPLACED = "replaced", pgettext_lazy("second voucher", "Sold under another number")


class ShopEvent(models.TextChoices):
    """What a shop may tell us; any other word is stored and ignored."""

    ORDER_CONFIRMED = "order.confirmed", pgettext_lazy("shop event", "Order confirmed")
    ORDER_CANCELLED = "order.cancelled", pgettext_lazy("shop event", "Order cancelled")
    ORDER_REFUNDED = "order.refunded", pgettext_lazy("shop event", "Order refunded")
    ORDER_PAID = "order.paid", pgettext_lazy("shop event", "Vouchers paid")
    CATALOGUE_CHANGED = (
        "catalogue.changed",
        pgettext_lazy("shop event", "Catalogue changed"),
    )


class InboxStatus(models.TextChoices):
    """Where a message of the shop stands."""

    #: Stored, and due when ``next_attempt_at`` says.
    RECEIVED = "received", pgettext_lazy("message status", "Waiting")
    PROCESSING = "processing", pgettext_lazy("message status", "Being worked on")
    PROCESSED = "processed", pgettext_lazy("message status", "Done")
    #: Of a type that we do not know.
    IGNORED = "ignored", pgettext_lazy("message status", "Ignored")
    #: Refused for good, or for too long; somebody may replay it.
    FAILED = "failed", pgettext_lazy("message status", "Failed")


class InboxStep(models.TextChoices):
    """What the timeline of a message records."""

    RECEIVED = "received", pgettext_lazy("message step", "Received")
    BEGUN = "begun", pgettext_lazy("message step", "Begun")
    POSTPONED = "postponed", pgettext_lazy("message step", "Postponed")
    PROCESSED = "processed", pgettext_lazy("message step", "Done")
    IGNORED = "ignored", pgettext_lazy("message step", "Ignored")
    FAILED = "failed", pgettext_lazy("message step", "Failed")
    REPLAYED = "replayed", pgettext_lazy("message step", "Replayed")
    #: What it said was erased for its customer.
    ERASED = "erased", pgettext_lazy("message step", "Erased")


class AttentionReason(models.TextChoices):
    """Why only a person can decide (``attention_code``), for those who have to."""

    BALANCE_MOVED = (
        "balance_moved",
        pgettext_lazy("reason", "Its balance changed while an answer was lost."),
    )
    UNREADABLE = (
        "unreadable",
        pgettext_lazy("reason", "It expired or was blocked before it could be read."),
    )
    UNREACHABLE = (
        "unreachable",
        pgettext_lazy("reason", "Smart Gift did not answer for about two hours."),
    )
    IDS_LOST = (
        "ids_lost",
        pgettext_lazy("reason", "It was redeemed, but cannot be reversed from here."),
    )
    REVERSE_REFUSED = (
        "reverse_refused",
        pgettext_lazy("reason", "Smart Gift refuses to reverse it."),
    )
    REVERSE_REFUSED_IDS = (
        "reverse_refused_ids",
        pgettext_lazy("reason", "Smart Gift does not know its redemption ids."),
    )
    REMAINDER_NOT_REDEEMED = (
        "remainder_not_redeemed",
        pgettext_lazy("reason", "A partial refund gave all of it back."),
    )
    LATE_ANSWER = (
        "late_answer",
        pgettext_lazy("reason", "An answer came after it had been decided otherwise."),
    )
    UNDECRYPTABLE = (
        "undecryptable",
        pgettext_lazy(
            "reason", "Its number cannot be read: an encryption key is gone."
        ),
    )
    BOOKS_DIFFER = (
        "books_differ",
        pgettext_lazy("reason", "It is not what its own journal says."),
    )
    REFUND = "refund", pgettext_lazy("reason", "Its refund could not be finished.")
    SALE_UNKNOWN = (
        "sale_unknown",
        pgettext_lazy("reason", "Nobody knows whether its vouchers were sold."),
    )
    REFERENCE_TAKEN = (
        "reference_taken",
        pgettext_lazy("reason", "Smart Gift has another order with its reference."),
    )
    SOLD_TWICE = (
        "sold_twice",
        pgettext_lazy("reason", "Its vouchers may have been sold twice."),
    )


class DeskVerb(models.TextChoices):
    """What staff can do at the voucher desk."""

    HOLD = "hold", pgettext_lazy("desk action", "Hold")
    APPLY = "apply", pgettext_lazy("desk action", "Apply to an order")
    PREPARE = "prepare", pgettext_lazy("desk action", "Hold again")
    RELEASE = "release", pgettext_lazy("desk action", "Release")
    REDEEM = "redeem", pgettext_lazy("desk action", "Redeem")
    REVERSE = "reverse", pgettext_lazy("desk action", "Reverse")
    REFUND = "refund", pgettext_lazy("desk action", "Refund")


class Verdict(models.TextChoices):
    """What a person can say of a case; each is written into its journal."""

    REDEEMED = "redeemed", pgettext_lazy("verdict", "It was redeemed")
    NOT_REDEEMED = "not_redeemed", pgettext_lazy("verdict", "It was not redeemed")
    REVERSED = "reversed", pgettext_lazy("verdict", "It was reversed")
    #: Given back in cash or by another voucher: Smart Gift still has it redeemed.
    PAID_BACK = "paid_back", pgettext_lazy("verdict", "It was paid back another way")
    NOT_REVERSED = (
        "not_reversed",
        pgettext_lazy("verdict", "It was not reversed: try again"),
    )
    IDS_ARE = "ids_are", pgettext_lazy("verdict", "Its redemption ids are known")
    TRY_REST = "try_rest", pgettext_lazy("verdict", "Redeem the rest again")
    GIVE_BACK = "give_back", pgettext_lazy("verdict", "Give it back from here")
    EXTRA_REVERSED = (
        "extra_reversed",
        pgettext_lazy("verdict", "The second redemption was reversed"),
    )
    SOLD = "sold", pgettext_lazy("verdict", "It was sold")
    NOT_SOLD = "not_sold", pgettext_lazy("verdict", "It was not sold: sell it now")
    GIVEN_UP = "given_up", pgettext_lazy("verdict", "It was not sold: give it up")
    LOOK_AGAIN = "look_again", pgettext_lazy("verdict", "Look for it again")
    GO_ON = "go_on", pgettext_lazy("verdict", "Nothing is in doubt: go on")


class DeliveryStatus(models.TextChoices):
    """Where a webhook to one endpoint stands."""

    PENDING = "pending", pgettext_lazy("webhook status", "Pending")
    DELIVERED = "delivered", pgettext_lazy("webhook status", "Delivered")
    FAILED = "failed", pgettext_lazy("webhook status", "Given up")


class DeliveryProblem(models.TextChoices):
    """Why a webhook was not delivered. The first five are those of ``fetch``."""

    NAME = "name", pgettext_lazy("webhook problem", "The host name is not known")
    ADDRESS = (
        "address",
        pgettext_lazy("webhook problem", "The address is private, or without https"),
    )
    TLS = "tls", pgettext_lazy("webhook problem", "No secure connection")
    TIMEOUT = "timeout", pgettext_lazy("webhook problem", "No answer in time")
    CONNECTION = (
        "connection",
        pgettext_lazy("webhook problem", "The connection failed"),
    )
    REDIRECT = "redirect", pgettext_lazy("webhook problem", "Answered with a redirect")
    STATUS = "status", pgettext_lazy("webhook problem", "Answered with an error")
    GONE = "gone", pgettext_lazy("webhook problem", "The endpoint is gone for good")
    #: Not in WEBHOOK_ENDPOINTS any more.
    REMOVED = (
        "removed",
        pgettext_lazy("webhook problem", "The endpoint is not configured any more"),
    )
    #: The endpoint did not answer for as long as anybody waits.
    EXPIRED = "expired", pgettext_lazy("webhook problem", "Waited for too long")
    SECRET = (
        "secret",
        pgettext_lazy("webhook problem", "The endpoint's secret cannot sign"),
    )
    UNREADABLE = (
        "unreadable",
        pgettext_lazy("webhook problem", "The encryption key of the message is gone"),
    )


class DeliveryOperation(models.TextChoices):
    """What the log of a webhook records."""

    SEND = "send", pgettext_lazy("webhook operation", "Send")
    REPLAY = "replay", pgettext_lazy("webhook operation", "Asked for again")
    GIVE_UP = "give_up", pgettext_lazy("webhook operation", "Give up")


class PrivacyOperation(models.TextChoices):
    """What was done with all that is known of one customer."""

    EXPORT = "export", pgettext_lazy("personal data", "Exported")
    ERASE = "erase", pgettext_lazy("personal data", "Erased")


class SyncStatus(models.TextChoices):
    """Where a reading of the catalogue stands that somebody asked for."""

    QUEUED = "queued", pgettext_lazy("sync status", "Queued")
    RUNNING = "running", pgettext_lazy("sync status", "Reading")
    DONE = "done", pgettext_lazy("sync status", "Done")
    FAILED = "failed", pgettext_lazy("sync status", "Failed")

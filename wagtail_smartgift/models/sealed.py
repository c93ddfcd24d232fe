"""Every column that holds something encrypted, and every fingerprint of it.

Whoever adds such a column adds it here: a change of keys (``smartgift_rekey``) works
through these lists, and a test fails when a column is in no list.
"""

from dataclasses import dataclass

from django.db import models

from wagtail_smartgift.models.desk import DeskLookUp
from wagtail_smartgift.models.idempotency import StoredAnswer
from wagtail_smartgift.models.outbox import OutboxEvent
from wagtail_smartgift.models.payments import Redemption
from wagtail_smartgift.models.sales import VoucherOrderItem
from wagtail_smartgift.models.webhooks import InboxMessage


@dataclass(frozen=True)
class SealedColumn:
    """Text encrypted with ``ENCRYPTION_KEYS``; empty where there is none."""

    model: type[models.Model]
    field: str
    #: What is in it, for whoever looks after the shop: "3 of 5 voucher numbers".
    content: str
    #: The column that tells old rows from new ones; random keys do not.
    age: str = "pk"

    def __str__(self) -> str:
        return f"{self.model._meta.verbose_name} ({self.field})"


@dataclass(frozen=True)
class FingerprintColumn:
    """A keyed digest of the voucher number that ``sealed`` holds.

    There is a ``fingerprint_next`` beside it.
    """

    sealed: SealedColumn
    #: The way to the alias of the account that the number belongs to.
    account: str

    @property
    def model(self) -> type[models.Model]:
        return self.sealed.model


_REDEMPTION_NUMBER = SealedColumn(
    Redemption, "number_encrypted", "voucher numbers", age="created_at"
)
_ITEM_NUMBER = SealedColumn(
    VoucherOrderItem, "number_encrypted", "numbers of sold vouchers"
)
_LOOKED_UP_NUMBER = SealedColumn(
    DeskLookUp, "number_encrypted", "numbers looked up at the desk"
)

SEALED_COLUMNS: tuple[SealedColumn, ...] = (
    _REDEMPTION_NUMBER,
    SealedColumn(Redemption, "hold_token_encrypted", "hold tokens", age="created_at"),
    _ITEM_NUMBER,
    _LOOKED_UP_NUMBER,
    SealedColumn(StoredAnswer, "answer_encrypted", "stored answers"),
    SealedColumn(InboxMessage, "payload_encrypted", "messages of the shop"),
    SealedColumn(InboxMessage, "body_digest_encrypted", "digests of messages"),
    SealedColumn(
        OutboxEvent, "message_encrypted", "webhooks to the shop", age="created_at"
    ),
)

FINGERPRINT_COLUMNS: tuple[FingerprintColumn, ...] = (
    FingerprintColumn(_REDEMPTION_NUMBER, account="session__account"),
    FingerprintColumn(_ITEM_NUMBER, account="order__account"),
    FingerprintColumn(_LOOKED_UP_NUMBER, account="account"),
)

"""What Smart Gift says of one voucher now, and what this database knows of it.

For the shop's own staff: nothing here counts as a guess, and nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wagtail_smartgift import codes
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.client import (
    Misrouted,
    Refused,
    SmartGiftError,
    Unauthorised,
    VoucherState,
)
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import Redemption, VoucherOrderItem
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import gateway, holds, vault
from wagtail_smartgift.services.timebox import Postponed


#: Seconds to wait for a place in the quota; somebody sits and waits.
PATIENCE = 5.0
#: Payments with one voucher that are shown; older ones are in the list of payments.
MOST_USES = 50


@dataclass(frozen=True)
class Answer:
    """Rows come with what they belong to: a redemption with its ``session``."""

    display_code: str
    #: What Smart Gift says; None: it refused, or could not be asked.
    state: VoucherState | None
    #: Why there is no state.
    trouble: SmartGiftError | None
    #: Payments that it was used for, the newest first, and ``MOST_USES`` at the most.
    uses: tuple[Redemption, ...]
    #: The order that it was sold in.
    sold_in: tuple[VoucherOrderItem, ...]

    @property
    def refused(self) -> bool:
        """Whether Smart Gift refused it, which is what becomes of a wrong number."""
        return isinstance(self.trouble, Refused)

    @property
    def reason(self) -> str:
        """Why there is no state, in a journal's word; empty where there is one."""
        if self.trouble is None:
            return ""
        if isinstance(self.trouble, Refused):
            return self.trouble.reason.value
        if isinstance(self.trouble, (Unauthorised, Misrouted)):
            return "configuration"
        return Postponed.by(self.trouble).code

    @property
    def words(self) -> str:
        """Smart Gift's own words for a refusal; for staff."""
        return self.trouble.message if isinstance(self.trouble, Refused) else ""

    @property
    def is_known(self) -> bool:
        """Whether this shop has dealt with it."""
        return bool(self.uses or self.sold_in)


def ask(
    *,
    account: Account,
    site_id: str,
    voucher_no: str,
    classifications: Sequence[str] = (),
) -> Answer:
    """Ask both sides about a voucher. One call, among the balance look-ups.

    ``classifications`` are those whose experiences count; empty: all.
    """
    voucher_no = Secret(voucher_no)
    number = vault.normalise(voucher_no)
    fingerprint = vault.fingerprint(number, account=account)
    state: VoucherState | None = None
    trouble: SmartGiftError | None = None
    try:
        found = gateway.connect(account, patience=PATIENCE).check(
            voucher_no=number,
            site_id=site_id,
            filters=holds.filters_for(classifications),
            lane=Lane.LOOKUP,
        )
        state = holds.zoned(account, found)
    except SmartGiftError as error:
        # Without the frames that it came through: they have the number.
        trouble = error.with_traceback(None)
    return Answer(
        display_code=codes.display_code(number),
        state=state,
        trouble=trouble,
        uses=_uses(fingerprint),
        sold_in=_origins(fingerprint),
    )


def _uses(fingerprint: str) -> tuple[Redemption, ...]:
    rows = Redemption.objects.filter(fingerprint=fingerprint).select_related("session")
    return tuple(rows.order_by("-created_at", "-pk")[:MOST_USES])


def _origins(fingerprint: str) -> tuple[VoucherOrderItem, ...]:
    items = VoucherOrderItem.objects.filter(fingerprint=fingerprint)
    return tuple(items.select_related("order").order_by("pk"))

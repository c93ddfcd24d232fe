"""Reading what the voucher of a case holds now, for whoever has to decide about it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import Lane, Operation, Outcome, RedemptionStatus
from wagtail_smartgift.client import RefusalReason, Refused, SmartGiftError
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import enquiry, gateway, guessing, journal, vault
from wagtail_smartgift.services.cases import Moved, NotSettled
from wagtail_smartgift.services.worker import ForeignRow, account_of


S = RedemptionStatus

#: What a refusal means for whoever settles the case.
_REFUSALS: Mapping[RefusalReason, str | Promise] = {
    RefusalReason.INVALID_VOUCHER: _(
        "Smart Gift refuses it: it is used up, has run out, or is not for this site."
    ),
    RefusalReason.INVALID_SITE: _(
        "Smart Gift refuses it: it does not know the site number."
    ),
}
_REFUSED = _("Smart Gift refuses it, in words that are not known here.")


def read_balance(*, redemption_id: UUID, user: Any) -> str:
    """Read what the voucher of a case holds now, into its journal.

    Returns why it could not be read, in a sentence; empty if it was. Nothing is decided
    by it.

    Raises:
        Moved: it is no case any more.
        NotSettled: ``foreign``.
        PaymentError: ``throttled``.
    """
    rows = Redemption.objects.select_related("session")
    row = rows.filter(pk=redemption_id, status=S.NEEDS_ATTENTION).first()
    if row is None:
        raise Moved
    try:
        account = account_of(row.session)
    except ForeignRow:
        raise NotSettled("foreign") from None
    with guessing.look_up_by_staff(guessing.asker(user)):
        try:
            state = gateway.connect(account, patience=enquiry.PATIENCE).check(
                voucher_no=vault.voucher_number(row),
                site_id=row.session.smartgift_site_id,
                lane=Lane.LOOKUP,
            )
        except Refused as error:
            return str(_REFUSALS.get(error.reason, _REFUSED))
        except SmartGiftError:
            return str(_("Smart Gift could not be asked."))
        except UndecryptableError:
            return str(_("Its number cannot be read with the configured keys."))
    try:
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.CHECK,
                Outcome.SUCCEEDED,
                status=S.NEEDS_ATTENTION,
                expected={S.NEEDS_ATTENTION},
                seen=state.remaining_value,
                actor=user.get_username(),
            )
    except journal.Stale:
        raise Moved from None
    return ""

"""One worker on one session: who it is, how long it has, and its line out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from wagtail_smartgift.client import SmartGiftClient
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.models.base import AccountBound
from wagtail_smartgift.services import claims, gateway, outbox
from wagtail_smartgift.services.timebox import TimeBox


class ForeignRow(Exception):
    """The row was made with another key or address than is configured now.

    A copy of the production database on a staging host must not touch vouchers.
    """


def account_of(row: AccountBound) -> Account:
    """Return the configured account of a row of money.

    Raises:
        ForeignRow: it is gone, or is no longer the same company at the same address.
    """
    account = get_conf().accounts.get(row.account)
    if account is None or not row.is_bound_to(account):
        raise ForeignRow(
            f"{row} was made with account {row.account!r} at {row.account_base_url}, "
            "which is not what is configured now; it is left alone."
        )
    return account


@dataclass(frozen=True)
class Worker:
    """The right to work on a session, and the time there is for it."""

    session_id: UUID
    account: Account
    site_id: str
    box: TimeBox
    claim: claims.Claim

    def client(self) -> SmartGiftClient:
        """Get ready for one remote call: time, claim, and a client.

        Nothing leaves so late that the call could outlive the claim, however long the
        quota takes to find a place.

        Raises:
            OutOfTime: the caller's time is up.
            Claimed: somebody else took the session over.
        """
        self.box.spend()
        self.claim.keep()
        return gateway.connect(
            self.account,
            patience=self.box.patience,
            asker=str(self.session_id),
            leave_until=self.claim.leave_until(),
        )

    def session(self) -> PaymentSession:
        """Read the session as it is now."""
        return PaymentSession.objects.get(pk=self.session_id)


@contextmanager
def at_work(
    session: PaymentSession, *, box: TimeBox, wait: float = 0
) -> Iterator[Worker]:
    """Claim a session and work on it.

    Raises:
        ForeignRow: its account is not the configured one.
        Claimed: somebody else is on it.
    """
    account = account_of(session)
    with outbox.held_back(), claims.claimed(session.pk, wait=wait) as claim:
        yield Worker(
            session_id=session.pk,
            account=account,
            site_id=session.smartgift_site_id,
            box=box,
            claim=claim,
        )

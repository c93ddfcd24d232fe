"""Checks of what is in the database, where it may be asked (``--database``)."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.models import Count, Q, QuerySet

from wagtail_smartgift import capabilities, keycheck
from wagtail_smartgift.checks.messages import Messages, error, warning
from wagtail_smartgift.choices import (
    LIVE_REDEMPTION_STATUSES,
    DeliveryStatus,
    InboxStatus,
    OrderStatus,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.conf import SETTING, Conf, get_conf, is_loopback_url
from wagtail_smartgift.models import (
    CapabilityRecord,
    InboxMessage,
    KeyCheck,
    OutboxEvent,
    PaymentSession,
    SmartGiftSettings,
    VoucherOrder,
)


MOVING_SESSIONS = (
    SessionStatus.CONFIRMING,
    SessionStatus.CANCELLING,
    SessionStatus.REFUNDING,
    SessionStatus.NEEDS_ATTENTION,
)
OPEN_ORDERS = (OrderStatus.QUEUED, OrderStatus.PLACING, OrderStatus.NEEDS_ATTENTION)
OPEN_MESSAGES = (InboxStatus.RECEIVED, InboxStatus.PROCESSING)
_UNFINISHED = "unfinished payments, voucher orders, messages and events"
_COPY = "On a copy of another database this is as it should be."
_SAME_COMPANY = (
    "If that key was of the same company, put its hash into EARLIER_KEY_HASHES of the "
    "account; never on a copy."
)


@register(Tags.database)
def check_rows(
    *, databases: Sequence[str] | None = None, **_kwargs: object
) -> list[CheckMessage]:
    """Report rows that nobody may finish or give back, sites without their account, and
    accounts whose Smart Gift nobody has probed lately.
    """
    try:
        conf = get_conf()
    except ImproperlyConfigured:
        return []
    if router.db_for_read(PaymentSession) not in (databases or ()):
        return []
    try:
        return [
            *_stranded(conf),
            *_not_refundable(conf),
            *_sites_without_account(conf),
            *_unprobed(conf),
            *_other_fingerprint_key(),
        ]
    except DatabaseError:
        # migrate checks before it migrates: what is asked for may not be there yet.
        return []


def _stranded(conf: Conf) -> Messages:
    counts: dict[tuple[str, str, str], int] = {}
    for rows in _unfinished():
        if not _has_table(rows.model):
            continue
        for bound, count in _by_key(rows):
            counts[bound] = counts.get(bound, 0) + count
    for (alias, base_url, key_hash), count in sorted(counts.items()):
        account = conf.accounts.get(alias)
        if account is None:
            yield error(
                "E016",
                f"{count} {_UNFINISHED} belong to the account {alias!r}, which is not "
                f"in {SETTING}['ACCOUNTS'] any more: nobody finishes them.",
                "Put the account back until they are settled. On a copy of another "
                "database, silence this: they must stay untouched.",
            )
        elif account.base_url != base_url:
            yield warning(
                "W009",
                f"{count} {_UNFINISHED} were made at another address of the account "
                f"{alias!r} ({base_url}), with a key whose hash is {key_hash}: nobody "
                "finishes them, and what is paid can be neither cancelled nor refunded.",
                f"{_COPY} Elsewhere go back to the earlier address and key until they "
                "are settled, or settle them by hand.",
            )
        elif key_hash not in account.key_hashes:
            yield warning(
                "W009",
                f"{count} {_UNFINISHED} were made with another key of the account "
                f"{alias!r} ({base_url}), whose hash is {key_hash}: nobody finishes "
                "them, and what is paid can be neither cancelled nor refunded.",
                f"{_COPY} {_SAME_COMPANY} Otherwise go back to the earlier key until "
                "they are settled, or settle them by hand.",
            )


def _not_refundable(conf: Conf) -> Messages:
    """Report what a shop finds out of only when a customer wants the money back.

    At another address it may never have been real money: the sandbox's, say.
    """
    if not _has_table(PaymentSession):
        return
    paid = PaymentSession.objects.filter(
        status=SessionStatus.CONFIRMED, redemptions__status=RedemptionStatus.REDEEMED
    ).exclude(PaymentSession.bound_to(conf.accounts.values()))
    for (alias, base_url, key_hash), count in sorted(_by_key(paid)):
        account = conf.accounts.get(alias)
        if account is not None and account.base_url == base_url:
            yield warning(
                "W015",
                f"{count} confirmed payments were made with another key of the account "
                f"{alias!r} ({base_url}), whose hash is {key_hash}: they can be neither "
                "cancelled nor refunded.",
                f"{_COPY} {_SAME_COMPANY} Otherwise give refunds in Smart Gift's "
                "dashboard.",
            )


def _by_key(rows: "QuerySet[Any]") -> Iterable[tuple[tuple[str, str, str], int]]:
    """Count rows by the account, address and key that they were made with."""
    counted = (
        rows.order_by()
        .values_list("account", "account_base_url", "account_key_hash")
        .annotate(count=Count("pk", distinct=True))
    )
    for alias, base_url, key_hash, count in counted:
        yield (alias, base_url, key_hash), count


def _unfinished() -> tuple["QuerySet[Any]", ...]:
    """Return the rows that somebody has to finish."""
    return (
        PaymentSession.objects.filter(
            Q(next_look_at__isnull=False)
            | Q(status__in=MOVING_SESSIONS)
            | Q(redemptions__status__in=LIVE_REDEMPTION_STATUSES)
        ),
        VoucherOrder.objects.filter(status__in=OPEN_ORDERS),
        # One that came to no account says so when it is worked on.
        InboxMessage.objects.filter(status__in=OPEN_MESSAGES).exclude(account=""),
        OutboxEvent.objects.filter(
            Q(dispatched_at__isnull=True) | Q(deliveries__status=DeliveryStatus.PENDING)
        ),
    )


def _sites_without_account(conf: Conf) -> Messages:
    if not _has_table(SmartGiftSettings):
        return
    chosen = SmartGiftSettings.objects.exclude(account="").exclude(
        account__in=list(conf.accounts)
    )
    for alias, hostname in chosen.values_list("account", "site__hostname"):
        yield error(
            "E017",
            f"The site {hostname} sells for the account {alias!r}, which is not in "
            f"{SETTING}['ACCOUNTS'].",
            "Put the account back, or choose another one under Settings > Gift vouchers.",
        )


def _unprobed(conf: Conf) -> Messages:
    if not _has_table(CapabilityRecord):
        return
    for account in conf.accounts.values():
        if is_loopback_url(account.base_url):
            continue  # The sandbox is not Smart Gift: what it does proves nothing.
        probed_at = capabilities.last_probed(account)
        if capabilities.is_fresh(probed_at):
            continue
        when = "never" if probed_at is None else f"last on {probed_at:%d %B %Y}"
        yield warning(
            "W013",
            f"How Smart Gift behaves at {account.base_url} was {when} probed with the "
            f"key of the account {account.alias!r}. So everything that its "
            "documentation leaves open is taken for as bad as it can be: lost answers "
            "take longer to settle, and more of them need a person.",
            "Run `manage.py smartgift_probe` with a voucher of your own, and again "
            f"every {capabilities.FRESH_DAYS} days.",
        )


def _other_fingerprint_key() -> Messages:
    if _has_table(KeyCheck) and not keycheck.is_ours():
        yield warning(
            "W014",
            f"{SETTING}['FINGERPRINT_KEY'] is not the key that the stored vouchers were "
            "fingerprinted with: no voucher can be used in a payment.",
            "Run smartgift_rekey to have them fingerprinted with the new key, or put the "
            "old one back. Where the setting is left out, it is made of SECRET_KEY.",
        )


def _has_table(model: Any) -> bool:
    alias = router.db_for_read(model) or DEFAULT_DB_ALIAS
    names = connections[alias].introspection.table_names()
    return model._meta.db_table in names

"""How the plugin is doing, for a monitor: reads only, and no call to Smart Gift.

Each check is one question with a yes or no. What it counted is for the shop's own
people; strangers learn no more than the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from wagtail_smartgift import budget, keycheck
from wagtail_smartgift.choices import InboxStatus, OrderStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    CatalogueSync,
    Heartbeat,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    VoucherOrder,
)


#: Without these, nothing works at all.
VITAL = frozenset({"database", "settings"})
#: Seconds after which work that is due shows that no sweep comes by.
OVERDUE = 300
#: The heartbeat of the sweep, by name.
SWEEP = "sweep"
#: Seconds after which prices and stock are out of date.
STALE_CATALOGUE = 6 * 3600


@dataclass(frozen=True)
class Check:
    ok: bool
    counts: Mapping[str, Any] | None = None


def check_up() -> dict[str, Check]:
    """Ask every question; those that cannot be asked are answered no."""
    settings = _settings()
    if not settings.ok:
        return {"settings": settings}
    found = {"settings": settings, "database": Check(ok=True)}
    questions: dict[str, Callable[[], Check]] = {
        "smartgift": _smart_gift,
        "keys": _keys,
        "catalogue": _catalogue,
        "sweep": _sweep,
        "payments": _payments,
    }
    for name, ask in questions.items():
        try:
            found[name] = ask()
        except DatabaseError:
            return {"settings": settings, "database": Check(ok=False)}
    return found


def _settings() -> Check:
    try:
        conf = get_conf()
    except ImproperlyConfigured:
        return Check(ok=False)
    return Check(ok=bool(conf.accounts and conf.encryption_keys))


def _keys() -> Check:
    """Whether stored vouchers are found again with the configured key."""
    return Check(ok=keycheck.is_ours())


def _smart_gift() -> Check:
    """Whether Smart Gift answers, by the calls that were made anyway."""
    quotas = {
        alias: budget.status(account) for alias, account in get_conf().accounts.items()
    }
    return Check(
        ok=all(
            quota.breaker is budget.BreakerState.CLOSED for quota in quotas.values()
        ),
        counts={
            "quota": {
                alias: {"limit": quota.limit, "used": quota.used, "left": quota.left}
                for alias, quota in quotas.items()
            }
        },
    )


def _catalogue() -> Check:
    now = timezone.now()
    synced = dict(CatalogueSync.objects.values_list("account", "synced_at"))
    ages = {
        alias: int((now - at).total_seconds())
        if (at := synced.get(alias)) is not None
        else None
        for alias in get_conf().accounts
    }
    return Check(
        ok=all(age is not None and age <= STALE_CATALOGUE for age in ages.values()),
        counts={"seconds_since_sync": ages},
    )


def _sweep() -> Check:
    """Whether somebody finishes what is due; when that was is for the doctor."""
    count = overdue()
    return Check(
        ok=not count, counts={"overdue": count, "foreign": overdue_elsewhere()}
    )


def overdue() -> int:
    """Count what this host should have worked on some time ago."""
    accounts = get_conf().accounts.values()
    return sum(
        rows.filter(rows.model.bound_to(accounts)).count() for rows in _long_due()
    )


def overdue_elsewhere() -> int:
    """Count what is due and of another key or address, as in a copy of a database.

    Nobody may work on it here, so it tells nothing of our sweep.
    """
    accounts = get_conf().accounts.values()
    return sum(
        rows.exclude(rows.model.bound_to(accounts)).count() for rows in _long_due()
    )


def _long_due() -> tuple["QuerySet[Any]", ...]:
    limit = timezone.now() - timedelta(seconds=OVERDUE)
    return (
        PaymentSession.objects.filter(next_look_at__lte=limit),
        VoucherOrder.objects.filter(next_look_at__lte=limit),
        OutboxEvent.objects.filter(
            dispatched_at__isnull=True, next_attempt_at__lte=limit
        ),
        InboxMessage.objects.filter(next_attempt_at__lte=limit),
    )


def last_sweep() -> datetime | None:
    """Return when a pass of the sweep last came to its end; None: never."""
    return Heartbeat.objects.filter(name=SWEEP).values_list("at", flat=True).first()


def _payments() -> Check:
    """What is going on; nothing of it is a fault of the plugin's."""
    sessions = PaymentSession.objects
    orders = VoucherOrder.objects
    return Check(
        ok=True,
        counts={
            "open": sessions.filter(status=SessionStatus.OPEN).count(),
            "queued_orders": orders.filter(status=OrderStatus.QUEUED).count(),
            "need_attention": sessions.filter(
                status=SessionStatus.NEEDS_ATTENTION
            ).count()
            + orders.filter(status=OrderStatus.NEEDS_ATTENTION).count(),
            "failed_messages": InboxMessage.objects.filter(
                status=InboxStatus.FAILED
            ).count(),
        },
    )

"""Does Smart Gift answer, take our keys and site numbers, and go by our clock?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from wagtail_smartgift import budget, codes
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.client import (
    ApiCall,
    CallNotAllowed,
    CircuitOpen,
    Misrouted,
    RateLimited,
    Refused,
    SmartGiftError,
    Unauthorised,
)
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import SmartGiftSettings
from wagtail_smartgift.models.settings import DEFAULT_ACCOUNT
from wagtail_smartgift.services import gateway, holds
from wagtail_smartgift.services.doctor.findings import (
    Finding,
    fault,
    ok,
    warning,
)


#: Seconds to wait for a place in the quota.
PATIENCE = 2.0
#: Seconds between two clocks beyond which something is wrong with one of them.
_WRONG_CLOCK = 60


def quota() -> Iterator[Finding]:
    for account in get_conf().accounts.values():
        found = budget.status(account)
        if not found.limit:
            yield warning(
                "quota",
                "it is switched off",
                "Leave RATE_LIMIT out: without it tills, sync and checkouts take calls "
                "from one another.",
            )
            return
        used = f"{account.alias} has used {found.used} of {found.limit} calls"
        if found.breaker is budget.BreakerState.OPEN:
            yield fault(
                "quota",
                f"{account.alias}: Smart Gift has not answered five times in a row; "
                "calls are held back for some seconds at a time",
                "See whether it can be reached from this machine, and ask Smart Gift.",
            )
        elif found.breaker is budget.BreakerState.HALF_OPEN:
            yield warning(
                "quota",
                f"{account.alias}: Smart Gift did not answer lately; the next call tries",
                "Look again in a minute.",
            )
        elif found.blocked_until is not None:
            seconds = (found.blocked_until - timezone.now()).total_seconds()
            yield warning(
                "quota",
                f"{used}; Smart Gift wants no more for {seconds:.0f} seconds",
                "If that is often so, find out who else uses this key.",
            )
        else:
            yield ok("quota", f"{used} of this window, {found.foreign} of them others'")


def keys() -> Iterator[Finding]:
    """Ask about a voucher that nobody has: key, address, site number and clock in one."""
    for account in get_conf().accounts.values():
        calls: list[ApiCall] = []
        for site_id in _site_numbers(account):
            finding, goes_on = _ask(account, site_id, calls)
            yield finding
            if not goes_on:
                break
        skew = next(filter(None, map(_skew, calls)), None)
        if skew is not None:
            yield _clock(account, skew)


def _site_numbers(account: Account) -> list[str]:
    """Return the account's own number and those of the Wagtail sites that sell for it."""
    aliases = [account.alias, *([""] if account.alias == DEFAULT_ACCOUNT else [])]
    chosen = SmartGiftSettings.objects.filter(account__in=aliases).exclude(
        smartgift_site_id=""
    )
    numbers = [account.site_id, *chosen.values_list("smartgift_site_id", flat=True)]
    # Without any the key can be tried all the same.
    return list(dict.fromkeys(filter(None, numbers))) or [""]


def _ask(account: Account, site_id: str, calls: list[ApiCall]) -> tuple[Finding, bool]:
    """Return what was found, and whether asking for another site number makes sense."""
    client = gateway.connect(account, patience=PATIENCE, observe=calls.append)
    about = "Smart Gift"
    try:
        client.check(
            voucher_no=codes.generate_voucher_number(),
            site_id=site_id,
            lane=Lane.LOOKUP,
        )
    except Refused as error:
        if site_id and "site_id" in error.fields:
            return fault(
                about,
                f"{account.alias}: it does not know the site number {site_id}",
                "It is in the dashboard under Company configuration: correct SITE_ID, "
                "or the number of that site under Settings > Gift vouchers.",
            ), True
        where = f" and has nothing against site number {site_id}" if site_id else ""
        return ok(about, f"{account.alias}: it takes the key{where}"), True
    except Unauthorised:
        return fault(
            about,
            f"{account.alias}: it does not take the key",
            "Correct API_KEY: keys are in the dashboard under Developers > Applications.",
        ), False
    except Misrouted:
        return fault(
            about,
            f"{account.alias}: {account.base_url} is not its API",
            "Correct BASE_URL, or leave it out for the usual one.",
        ), False
    except CircuitOpen as error:
        return fault(
            about,
            f"{account.alias}: it has not been answering, and was not asked again yet",
            f"Look again in {error.retry_after or 60:.0f} seconds.",
        ), False
    except (CallNotAllowed, RateLimited) as error:
        return warning(
            about,
            f"{account.alias}: it was not asked, since others need the quota",
            f"Look again in {error.retry_after or 60:.0f} seconds.",
        ), False
    except SmartGiftError as error:
        return fault(
            about,
            f"{account.alias}: it does not answer at {account.base_url} ({error})",
            "See whether this machine may reach it, and ask Smart Gift.",
        ), False
    return ok(about, f"{account.alias}: it answers"), True


def _skew(call: ApiCall) -> timedelta | None:
    """Return how far Smart Gift's clock is ahead of ours, give or take a second."""
    if call.server_date is None:
        return None
    # The header has whole seconds and was written somewhere in the middle of the call.
    theirs: datetime = call.server_date + timedelta(seconds=0.5)
    return theirs - (timezone.now() - timedelta(seconds=call.elapsed / 2))


def _clock(account: Account, skew: timedelta) -> Finding:
    seconds = abs(skew.total_seconds())
    says = f"this machine's is {seconds:.0f} seconds off that of {account.alias}"
    advice = "Have it set by NTP: holds last five minutes."
    if seconds > _WRONG_CLOCK:
        return fault("clock", says, advice)
    if seconds > holds.DEADLINE_MARGIN:
        return warning("clock", says, advice)
    return ok("clock", f"it agrees with that of {account.alias}")

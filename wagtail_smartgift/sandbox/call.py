"""One call as an operation sees it, and the look-ups that operations share."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from . import messages
from .answers import refuse
from .behaviour import Behaviour
from .form import Form
from .records import MONETARY, Company, Voucher
from .store import Store


_BRITISH_SUMMER_TIME = timezone(timedelta(hours=1))
_ZONED = "%Y-%m-%dT%H:%M:%S.%f"
_PLAIN = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Call:
    """What a call brings along: who asks, when, what, and the world it acts on."""

    store: Store
    behaviour: Behaviour
    now: float
    company: Company
    body: dict[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    base_url: str = ""

    def entry(self, event: str, voucher: Voucher, **more: Any) -> None:
        """Write a line of the ledger about a voucher, and save the voucher."""
        self.store.put(voucher)
        self.store.add_entry(
            self.now, event, voucher.number, request_id=self.request_id, **more
        )


def find_voucher(call: Call, form: Form) -> Voucher | None:
    number = form.text("voucher_no")
    if number is None:
        return None
    voucher = call.store.vouchers.get(number)
    if voucher is None or voucher.visible_from > call.now:
        form.fail("voucher_no", messages.INVALID_VOUCHER)
        return None
    if voucher.company_id != call.company.id:
        form.fail("voucher_no", messages.OTHER_COMPANY)
        return None
    return voucher


def find_site(call: Call, form: Form) -> str | None:
    site_id = form.text_or_number("site_id")
    if site_id is not None and site_id not in call.company.sites:
        form.fail("site_id", messages.INVALID_SITE)
        return None
    return site_id


def require_usable(call: Call, voucher: Voucher) -> None:
    """Raises: Refusal: the voucher is cancelled or expired."""
    if voucher.cancelled:
        raise refuse("voucher_no", messages.CANCELLED)
    if voucher.expires_at is not None and voucher.expires_at <= call.now:
        raise refuse("voucher_no", messages.EXPIRED)


def usable_here(voucher: Voucher, site_id: str) -> list[Any]:
    """Return the unused experiences of a voucher that this site may redeem."""
    return [one for one in voucher.unused if one.sites is None or site_id in one.sites]


def require_something_here(voucher: Voucher, site_id: str) -> None:
    """Raises: Refusal: experiences are left, but none for this site."""
    if (
        voucher.type != MONETARY
        and voucher.unused
        and not usable_here(voucher, site_id)
    ):
        raise refuse("voucher_no", messages.NONE_AT_THIS_SITE)


def print_time(seconds: float, style: str) -> str:
    """Print a time in one of the styles of the behaviour ``held_until``."""
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    if style == "offset":
        return moment.astimezone(_BRITISH_SUMMER_TIME).isoformat(timespec="seconds")
    if style == "naive":
        return moment.strftime(_PLAIN)
    if style == "naive_local":
        return moment.astimezone(_BRITISH_SUMMER_TIME).strftime(_PLAIN)
    return moment.strftime(_ZONED) + "Z"

"""The doctor: everything that can be wrong with an installation, a line each.

Looks at settings, database, work that is left undone, and Smart Gift itself. Refuses to
mend anything, and to fall over: what is broken enough that it cannot be looked at is a
finding like any other.
"""

from collections.abc import Callable, Iterable, Iterator

from django.core.exceptions import ImproperlyConfigured

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.services.doctor import (
    of_clocks,
    of_installation,
    of_messages,
    of_rows,
    of_smart_gift,
)
from wagtail_smartgift.services.doctor.findings import (
    Finding,
    Level,
    guarded,
    warning,
)


__all__ = ["Finding", "Level", "examine"]

_Look = Callable[[], Iterable[Finding]]

_ROWS: tuple[tuple[str, _Look], ...] = (
    ("host clock", of_clocks.host),
    ("accounts", of_installation.stranded_rows),
    ("catalogue", of_rows.catalogue),
    ("sweep", of_rows.sweep),
    ("messages", of_messages.inbox),
    ("events", of_messages.outbox),
    ("webhooks", of_messages.webhooks),
    ("orders", of_rows.orders),
    ("people", of_rows.attention),
    ("personal data", of_rows.personal_data),
    ("encryption", of_rows.secrets),
    ("probe", of_rows.probe),
    ("own numbers", of_rows.refused_numbers),
    ("quota", of_smart_gift.quota),
)


def examine(*, offline: bool = False, installation: bool = True) -> Iterator[Finding]:
    """Look at everything, and yield what was found as it goes.

    Makes one call for each site number, in the lane of balance look-ups, unless
    ``offline``. Without ``installation`` the project's checks and the migrations are
    left out: a deployment alone changes them, and they take a second or more. Must not
    run inside a transaction.
    """
    found: list[Finding] = []
    if installation:
        yield from guarded("settings", of_installation.settings)
        found = list(guarded("database", of_installation.database))
        yield from found
    try:
        get_conf()
    except ImproperlyConfigured:
        yield _not_looked_at("the settings cannot be read")
        return
    if any(finding.level is Level.FAULT for finding in found):
        yield _not_looked_at("the database cannot be used as it is")
        return
    for about, look in _ROWS:
        yield from guarded(about, look)
    if not offline:
        yield from guarded("Smart Gift", of_smart_gift.keys)


def _not_looked_at(why: str) -> Finding:
    return warning(
        "the rest", f"it was not looked at, since {why}", "Mend that, then look again."
    )

"""What processes of the nursery do about keys: change them, and work with either."""

import io
import os
import signal
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from wagtail_smartgift import keycheck
from wagtail_smartgift.choices import LIVE_REDEMPTION_STATUSES
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import DeskLookUp, KeyCheck, Redemption
from wagtail_smartgift.services import keys, looking_up, vault

from .world import forget_everything


OLD_KEYS = {
    "ENCRYPTION_KEYS": ["only for tests, but long enough to be a key"],
    "FINGERPRINT_KEY": "a fingerprint key for tests, long enough as well",
}
NEW_KEYS = {
    "ENCRYPTION_KEYS": [
        "another one for tests, as long as it has to be",
        *OLD_KEYS["ENCRYPTION_KEYS"],
    ],
    "FINGERPRINT_KEY": "another fingerprint key for tests, and as long",
}


def with_keys(
    settings_of_keys: dict[str, Any],
    do: str,
    dies_in: int | None = None,
    **values: Any,
) -> Any:
    """Do something in a process with these keys in its settings.

    ``dies_in`` is the write of the database before which it dies.
    """
    from .acts import ACTS

    ours = {**settings.WAGTAIL_SMARTGIFT, **settings_of_keys}
    with override_settings(WAGTAIL_SMARTGIFT=ours):
        writes = _Writes(dies_in)
        with connection.execute_wrapper(writes):
            result = ACTS[do](**values)
        return writes.made if do == "count_writes" else result


class _Writes:
    """Counts writes, and kills the process at one of them."""

    def __init__(self, dies_in: int | None) -> None:
        self.dies_in, self.made = dies_in, 0

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(("UPDATE", "INSERT")):
            self.made += 1
            if self.made == self.dies_in:
                os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, *rest)


def count_writes() -> str:
    return rekey()


def rekey() -> str:
    """Run the command; its refusal is an answer too."""
    try:
        call_command("smartgift_rekey", "--batch", "2", stdout=io.StringIO())
    except CommandError as error:
        return str(error)
    return ""


def unguarded(verb: str, **values: Any) -> Any:
    """Run a verb in a process that does not ask whose key it is."""
    from .acts import race

    keys.require_ours = lambda: None
    return race(verb, **values)


def keyed() -> dict[str, Any]:
    """Return what there is, read with the keys of this process."""
    account = get_conf().account("default")
    return {
        "live": [
            vault.voucher_number(row)
            for row in Redemption.objects.filter(status__in=LIVE_REDEMPTION_STATUSES)
        ],
        "wrong": sum(
            row.fingerprint
            != vault.fingerprint(
                vault.open_sealed(row.number_encrypted), account=account
            )
            for model in (Redemption, DeskLookUp)
            for row in model.objects.all()
        ),
        "left": sum(
            model.objects.exclude(fingerprint_next="").count()
            for model in (Redemption, DeskLookUp)
        ),
        "looked_up": DeskLookUp.objects.count(),
        "is_ours": keycheck.is_ours(),
    }


def look_up(number: str) -> None:
    """Look a number up at the voucher desk, as somebody who has not yet."""
    clerk = User.objects.create_user(f"clerk-{uuid.uuid4()}")
    looking_up.look_up(voucher_no=number, site=None, user=clerk)


def forget_keys() -> None:
    """As before the first voucher."""
    forget_everything()
    KeyCheck.objects.all().delete()

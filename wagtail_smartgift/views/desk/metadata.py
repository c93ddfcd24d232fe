"""What a shop noted with a payment, as staff may see it.

The shop puts into ``metadata`` what it likes: it is a stranger's text, it may be long,
and it may hold what nobody must see. What is called like a secret is left out, and a
number of one of the payment's vouchers is shown by its last characters.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_smartgift import codes
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import vault


#: Notes that are shown, and characters of each.
MOST, LONGEST = 50, 500

_SECRET_NAME = re.compile(
    r"secret|token|passw|credential|authori[sz]ation|cookie|signature|"
    r"api.?key|card.?number|cvv|cvc|iban|voucher.?(no|number|code)|gift.?card",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s\"',;:(){}\[\]]+")


def shown_metadata(
    session: PaymentSession, redemptions: Sequence[Redemption]
) -> list[tuple[str, str]]:
    """Return names and texts; what is nested stands as JSON."""
    if not isinstance(session.metadata, Mapping):
        return []
    hide = _Hider(session, redemptions)
    shown = [
        (hide.words(str(name))[:LONGEST], _shortened(hide.part(str(name), value)))
        for name, value in list(session.metadata.items())[:MOST]
    ]
    more = len(session.metadata) - MOST
    if more > 0:
        rest = ngettext("And %(count)d more.", "And %(count)d more.", more)
        shown.append(("…", rest % {"count": more}))
    return shown


def _shortened(value: Any) -> str:
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class _Hider:
    """Knows the payment's voucher numbers by their fingerprints alone."""

    def __init__(
        self, session: PaymentSession, redemptions: Sequence[Redemption]
    ) -> None:
        self._prints = {row.fingerprint for row in redemptions}
        self._account: Account | None
        try:
            self._account = get_conf().account(session.account)
        except ImproperlyConfigured:
            self._account = None

    def part(self, name: str, value: Any) -> Any:
        if _SECRET_NAME.search(name):
            return _("(not shown)")
        if isinstance(value, Mapping):
            return {
                self.words(str(key)): self.part(str(key), inner)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self.part("", inner) for inner in value]
        return self.words(value) if isinstance(value, str) else value

    def words(self, text: str) -> str:
        """Show the vouchers of this payment by their last characters."""
        return _WORD.sub(lambda found: self._word(found[0]), text)

    def _word(self, word: str) -> str:
        if self._account is None or len(word) > codes.MAX_VOUCHER_NUMBER_LENGTH:
            return word
        number = vault.normalise(word)
        if vault.fingerprint(number, account=self._account) in self._prints:
            return codes.display_code(number)
        return word

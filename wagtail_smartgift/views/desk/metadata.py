"""What a shop noted with a payment, as staff may see it.

The shop puts into ``metadata`` what it likes: it is a stranger's text, it may be long,
and it may hold what nobody must see. What is called like a secret is left out, and a
number of one of the payment's vouchers is shown by its last characters.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import numbers


#: Notes that are shown, and characters of each.
MOST, LONGEST = 50, 500

_SECRET_NAME = re.compile(
    r"secret|token|passw|credential|authori[sz]ation|cookie|signature|"
    r"api.?key|card.?number|cvv|cvc|iban|voucher.?(no|number|code)|gift.?card",
    re.IGNORECASE,
)


def shown_metadata(
    session: PaymentSession, redemptions: Sequence[Redemption]
) -> list[tuple[str, str]]:
    """Return names and texts; what is nested stands as JSON."""
    if not isinstance(session.metadata, Mapping):
        return []
    hide = _Hider(redemptions, account=session.account)
    shown = [
        (hide.words(str(name))[:LONGEST], _shortened(hide.named(str(name), value)))
        for name, value in list(session.metadata.items())[:MOST]
    ]
    more = len(session.metadata) - MOST
    if more > 0:
        rest = ngettext("And %(count)d more.", "And %(count)d more.", more)
        shown.append(("…", rest % {"count": more}))
    return shown


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class _Hider(numbers.Hider):
    """Leaves out what is called like a secret, too."""

    def named(self, name: str, value: Any) -> str:
        """Return what stands under a name, as text."""
        # Once more as a whole: a number may stand in several parts.
        return self.words(numbers.as_text(self._shown(name, value)))

    def _shown(self, name: str, value: Any) -> Any:
        if _SECRET_NAME.search(name):
            return _("(not shown)")
        if isinstance(value, Mapping):
            return {
                self.words(str(key)): self._shown(str(key), inner)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._shown("", inner) for inner in value]
        return self.part(value)

"""The shop's own word for an order: what it may look like.

It stands in addresses and is sent to Smart Gift, so it is kept to what neither needs
to escape.
"""

import re

from django.utils.translation import gettext_lazy as _


_REFERENCE = re.compile(r"[A-Za-z0-9._~-]{1,64}")

#: What a shop is told whose reference is none.
WRONG_REFERENCE = _("Use 1 to 64 letters, digits, dots, dashes, underscores or tildes.")


def is_reference(text: object) -> bool:
    """Tell whether ``text`` can be a reference."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text) is not None

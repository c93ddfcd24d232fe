"""The shop's own word for an order: what it may look like.

It stands in addresses and is sent to Smart Gift, so it is kept to what neither needs
to escape.
"""

import re

from django.utils.translation import gettext_lazy as _


_REFERENCE = re.compile(r"[A-Za-z0-9._~-]{1,64}")

#: What the reference of a payment begins with that the voucher desk has opened for a
#: number alone, and how the whole of it looks: a shop may have a desk of its own.
DESK_PREFIX = "desk-"
OF_DESK = rf"^{DESK_PREFIX}[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}$"

#: What a shop is told whose reference is none.
WRONG_REFERENCE = _("Use 1 to 64 letters, digits, dots, dashes, underscores or tildes.")


def is_reference(text: object) -> bool:
    """Tell whether ``text`` can be a reference."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text) is not None


def is_of_desk(reference: str) -> bool:
    """Tell whether no order of the shop is behind a payment."""
    return re.search(OF_DESK, reference) is not None

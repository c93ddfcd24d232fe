"""Experiences of a voucher by their names: Smart Gift counts them as a sum of flags."""

from decimal import Decimal

from django.utils.translation import gettext as _

from wagtail_smartgift.models import Redemption


def names_of(row: Redemption, flags: Decimal | int | None) -> str:
    """Name the experiences whose flags are in a sum; empty where it is not known.

    Flags of what this site does not offer have no name here, and are told as such.
    """
    if flags is None:
        return ""
    left = int(flags)
    names = []
    for item in row.experiences_available:
        if left & item["bit_value"]:
            names.append(str(item["name"]))
            left &= ~item["bit_value"]
    if left:
        names.append(_("others that this site does not offer"))
    return ", ".join(names) or _("none")

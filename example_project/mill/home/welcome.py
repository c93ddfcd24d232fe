"""What somebody who starts the shop for the first time wants to know."""

from django.conf import settings

from wagtail_smartgift.sandbox.magic import VOUCHERS


#: The most telling of the sandbox's voucher numbers; its own page has them all.
NUMBERS = (
    "GOOD-0050-0001",
    "GOOD-0025-0001",
    "TEA-0002-0001",
    "EMPTY-0000-0001",
    "EXPIRED-0025-0001",
    "HELD-0050-0001",
    "LOST-0050-0001",
)


def numbers_to_try() -> list[tuple[str, str]]:
    """Return voucher numbers and what each shows; none but for the sandbox."""
    if not settings.USES_SANDBOX:
        return []
    shows = {voucher.number: voucher.shows for voucher in VOUCHERS}
    return [(number, shows[number]) for number in NUMBERS]


def welcome(address: str) -> str:
    """Return the lines that are printed when the shop starts."""
    lines = [
        "",
        f"  The Old Mill    {address}/",
        f"  Wagtail admin   {address}/admin/   (admin, password admin)",
    ]
    if settings.USES_SANDBOX:
        lines += [
            f"  Smart Gift      {settings.SANDBOX_URL}/   (a local stand-in)",
            "",
            "  Voucher numbers to try at the checkout:",
            *(f"    {number:<20}{shows}" for number, shows in numbers_to_try()),
        ]
    else:
        base_url = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]["BASE_URL"]
        lines.append(f"  Smart Gift      {base_url}")
    return "\n".join([*lines, "", ""])

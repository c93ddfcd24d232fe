"""Secrets of a row in clear, for the moment in which they are sent.

Binds ``codes`` to the configured keys, so that no other module handles keys.
"""

from wagtail_smartgift import codes
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.redaction import Secret


#: Characters of what is typed or scanned that are looked at. Normalising takes time
#: that grows with the square of a hostile text.
_LONGEST_TYPED = 500


def normalise(number: str) -> str:
    """Return the number in what was typed or scanned: by the host's rule, then by ours.

    Of a text that no voucher number can be, so much is kept that it is refused.
    """
    number = Secret(number[:_LONGEST_TYPED].encode(errors="replace").decode())
    hook = get_conf().hook("normalise_voucher_number")
    return codes.read_voucher_number(hook(number) if hook else number)


def normalise_text(text: str) -> str:
    """Return any text as a number in it would be sent, to look for one."""
    text = Secret(text)
    return codes.normalise_voucher_number(text)


def fingerprint(number: str, *, account: Account) -> str:
    number = Secret(number)
    return codes.fingerprint(
        number, account=account.alias, key=get_conf().fingerprint_key
    )


def seal(text: str) -> str:
    text = Secret(text)
    return codes.encrypt(text, keys=get_conf().encryption_keys)


def open_sealed(token: str) -> str:
    """Decrypt a stored secret.

    Raises:
        UndecryptableError: its key is no longer configured.
    """
    return codes.decrypt(token, keys=get_conf().encryption_keys)


def mentions(text: str, redemption: Redemption) -> bool:
    """Tell whether somebody has typed a stored voucher's number into other words."""
    text = Secret(text)
    try:
        number = voucher_number(redemption)
    except codes.UndecryptableError:
        return False
    return number_in(text, number)


def number_in(text: str, number: str) -> bool:
    """Tell whether a text has that number in it, however it is spaced."""
    text = Secret(text)
    return Secret(number).casefold() in normalise_text(text).casefold()


def voucher_number(redemption: Redemption) -> str:
    return open_sealed(redemption.number_encrypted)


def hold_token(redemption: Redemption) -> str:
    return open_sealed(redemption.hold_token_encrypted)

"""Secrets of a row in clear, for the moment in which they are sent.

Binds ``codes`` to the configured keys, so that no other module handles keys.
"""

from collections.abc import Iterable
from urllib.parse import unquote

from wagtail_smartgift import codes
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.redaction import Secret, hidden


#: Characters of what is typed or scanned that are looked at. Normalising takes time
#: that grows with the square of a hostile text.
_LONGEST_TYPED = 500
#: Characters of a number that no id has in it by chance.
_LONG_ENOUGH = 8


def normalise(number: str) -> str:
    """Return the number in what was typed or scanned: by the host's rule, then by ours.

    Of a text that no voucher number can be, so much is kept that it is refused.
    """
    number = Secret(number[:_LONGEST_TYPED].encode(errors="replace").decode())
    hook = get_conf().hook("normalise_voucher_number")
    return codes.read_voucher_number(hook(number) if hook else number)


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
    """Tell whether a text has that number in it, however it is spelt."""
    text, number = Secret(text), Secret(number)
    return any(codes.places_of(number, one) for one in (text, _unquoted(text)))


def stands_for(text: str, number: str) -> bool:
    """Tell whether a short text, such as an id, is that number rather than has it in it.

    A voucher's number of a few digits is by chance in many an id; that would be refused
    for nothing.
    """
    text, number = Secret(text), Secret(number)
    long = len(number) >= _LONG_ENOUGH
    return number_in(text, number) if long else codes.is_same(number, text)


def hidden_in(text: str, numbers: Iterable[str]) -> str:
    """Return a text in which these numbers stand by their last characters alone."""
    text, numbers = Secret(text), hidden(list(numbers))
    # The longest first: another may be a part of it.
    for number in sorted(numbers, key=len, reverse=True):
        places = codes.places_of(number, text)
        if not places and (unquoted := _unquoted(text)) != text:
            places = codes.places_of(number, unquoted)
            text = unquoted if places else text
        for start, end in reversed(places):
            text = Secret(text[:start] + codes.display_code(number) + text[end:])
    return str(text)


def _unquoted(text: str) -> str:
    """Return a text as it reads where it is part of an address."""
    return Secret(unquote(Secret(text)))


def voucher_number(redemption: Redemption) -> str:
    return open_sealed(redemption.number_encrypted)


def hold_token(redemption: Redemption) -> str:
    return open_sealed(redemption.hold_token_encrypted)

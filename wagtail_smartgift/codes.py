"""Voucher numbers: normalising, showing, making, and keeping them secret.

A voucher number is bearer money. At rest it is encrypted (``encrypt``), found
again by a keyed fingerprint (``fingerprint``), and shown by its last four
characters (``display_code``). Nothing here logs or raises with a number in it.
"""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from wagtail_smartgift.redaction import Secret, SecretBytes, hidden


#: The longest number that is looked up. Smart Gift documents no limit; its
#: samples have 8 to 10 characters, and a scanned link never needs more.
MAX_VOUCHER_NUMBER_LENGTH = 64

#: Letters and digits that are not mistaken for one another when read aloud or
#: typed from a printed card: no 0/O, 1/I/L, 2/Z, 5/S, 8/B, no vowels but A and E.
_ALPHABET = "ACDEFGHJKMNPQRTVWXY34679"
#: 24 ** 16 is about 73 bits: not to be guessed, and no two alike by accident.
_OWN_CODE_LENGTH = 16
#: Characters that are read out in one breath.
_GROUP = 4


class UndecryptableError(Exception):
    """A stored secret was encrypted with a key that is no longer configured."""


def normalise_voucher_number(text: str) -> str:
    """Return ``text`` as it is sent to Smart Gift.

    NFKC, and all white space and invisible formatting removed; nothing else,
    since dashes and case are the venue's. Doing it twice changes nothing.
    """
    text = Secret(text)
    kept = Secret(
        "".join(
            char
            for char in unicodedata.normalize("NFKC", text)
            if not char.isspace() and unicodedata.category(char) not in {"Cf", "Cc"}
        )
    )
    # A removed space may have stood between a letter and its accent.
    return Secret(unicodedata.normalize("NFKC", kept))


def display_code(number: str) -> str:
    """Return the only form of ``number`` that may be shown: its last four characters.

    Of a very short number less is shown, so that never more than half is.
    """
    number = Secret(number)
    shown = min(4, len(number) // 2)
    return "…" + number[len(number) - shown :]


def grouped(number: str) -> str:
    """Return ``number`` in groups of four, as it stands on a card.

    Only a number of letters and digits alone is grouped: where a venue has put dashes
    or dots into it, they are its groups. Spaces do not matter when it is typed.
    """
    number = Secret(number)
    if not number.isalnum() or len(number) <= _GROUP:
        return number
    return Secret(
        " ".join(
            number[start : start + _GROUP] for start in range(0, len(number), _GROUP)
        )
    )


def generate_voucher_number() -> str:
    """Make a voucher number that nobody can guess, easy to type from a card."""
    return Secret("".join(secrets.choice(_ALPHABET) for _ in range(_OWN_CODE_LENGTH)))


def fingerprint(number: str, *, account: str, key: bytes) -> str:
    """Return the keyed look-up value (hex) of a normalised number in an account."""
    number, key = Secret(number), SecretBytes(key)
    message = SecretBytes(f"{account}\0{number}".encode())
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def encrypt(text: str, *, keys: Sequence[bytes]) -> str:
    """Encrypt with the first key."""
    text, keys = Secret(text), hidden(keys)
    return Fernet(keys[0]).encrypt(text.encode()).decode()


def reencrypt(token: str, *, keys: Sequence[bytes]) -> str | None:
    """Encrypt a stored secret with the first key; None where it is already.

    Raises:
        UndecryptableError: none of the keys fits.
    """
    keys = hidden(keys)
    first = Fernet(keys[0])
    try:
        first.decrypt(token.encode())
    except InvalidToken:
        return encrypt(decrypt(token, keys=keys[1:]), keys=keys)
    return None


def decrypt(token: str, *, keys: Sequence[bytes]) -> str:
    """Decrypt with whichever of ``keys`` fits.

    Raises:
        UndecryptableError: none of the keys fits.
    """
    keys = hidden(keys)
    for key in keys:
        try:
            return Secret(Fernet(key).decrypt(token.encode()).decode())
        except InvalidToken:
            continue
    raise UndecryptableError(
        "No configured encryption key opens this value. Put the old key back "
        "at the end of ENCRYPTION_KEYS."
    )

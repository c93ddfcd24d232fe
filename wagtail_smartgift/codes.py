"""Voucher numbers: normalising, showing, making, and keeping them secret.

A voucher number is bearer money. At rest it is encrypted (``encrypt``), found
again by a keyed fingerprint (``fingerprint``), and shown by its last four
characters (``display_code``). Nothing here logs or raises with a number in it.
"""

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.fernet import Fernet, InvalidToken

from wagtail_smartgift.redaction import Secret, SecretBytes, hidden, hidden_members


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


#: Where a link begins. No number has that in it, so nothing of a venue's is lost.
_LINK = re.compile("https?://", re.IGNORECASE)
_NEXT_LINK = re.compile(r"\s(?=https?://)", re.IGNORECASE)
#: What ends a link for certain, and what belongs to the sentence around it where it
#: stands at a link's end.
_AROUND_LINK = re.compile(r"[<>\"«»“”].*", re.DOTALL)
_BEHIND_LINK = ".,;:!?)]}'’"
#: What begins a remark behind a link, and no piece of one: a bracket, a price.
_REMARKS = tuple("([{£€$")
#: What words have not, and what is left of a broken link may have.
_OF_LINK = frozenset("/=#&%")
#: What a voucher's number is called in the links that its QR code stands for, the
#: likeliest first, whatever its case and with or without what parts its words. Without
#: one of them it is the last part of the path.
_IN_LINKS = (
    "voucherno",
    "vouchernumber",
    "vouchercode",
    "voucher",
    "number",
    "code",
    "no",
)


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


def read_voucher_number(typed: str) -> str:
    """Return the number in what somebody typed, pasted or scanned, normalised.

    A number is taken as it is. Of a link, which is what a camera reads from a printed
    QR code, the number is one of its fragment (``#voucher=``, as on our own cards) or of
    its query (``?code=``), else the last part of its path; words in front of the link,
    and words behind it that are none of it, are left out. Whose link it is does not
    matter: it is never opened, and what is read from it may be typed by anybody.

    Doing it twice changes nothing.
    """
    typed = Secret(unicodedata.normalize("NFKC", typed))
    inner = Secret("")
    if link := _LINK.search(typed):
        inner = Secret(_number_in_links(typed[link.start() :]))
    number = Secret(normalise_voucher_number(inner or typed))
    # A link may carry a link; each is shorter than what it was in.
    while link := _LINK.search(number):
        inner = Secret(_number_in_links(number[link.start() :]))
        if not inner:
            break
        number = Secret(normalise_voucher_number(inner))
    return number


def _without_words(text: str) -> str:
    """Return the link that a text begins with, without the words behind it.

    A link has no blanks, but one that is broken over two lines comes with some: browsers
    make blanks of the breaks in what is pasted. So what is behind a blank is of the link
    while it has digits or signs of a link in it. Other words are only words where
    what is before them looks like a number, without a small letter, and theirs are small.
    """
    pieces = hidden(text.split())
    link = Secret(pieces[0])
    # What may be of the link, if more of it follows.
    unsure: list[str] = []
    for piece in pieces[1:]:
        if piece.startswith(_REMARKS):
            break
        if any(char.isdecimal() or char in _OF_LINK for char in piece):
            link, unsure = Secret("".join([link, *unsure, piece])), []
        elif _is_word(piece) and (end := _number_at_the_end(link)):
            # Capitals alone in groups of one length are a number as it is printed.
            if any(len(one) != len(end) for one in unsure):
                unsure = []
            break
        else:
            unsure.append(Secret(piece))
    if any(char.isalnum() for piece in unsure for char in piece):
        link = Secret("".join([link, *unsure]))
    return _trimmed(link)


def _number_at_the_end(link: str) -> str:
    """Return what a link ends with if it may be a number: letters, and no small ones."""
    end = Secret(re.split("[/=#&]", link.rstrip("/"))[-1])
    return end if any(map(str.isalnum, end)) and not _is_word(end) else ""


def _is_word(piece: str) -> bool:
    """Tell whether a text has letters that are not capitals."""
    return any(char.isalpha() and not char.isupper() for char in piece)


def _trimmed(link: str) -> str:
    """Return a link without the signs of a sentence that it stands in."""
    return Secret(_AROUND_LINK.sub("", link).rstrip(_BEHIND_LINK))


def _number_in_links(text: str) -> str:
    """Return the number of the first link that names one, else of the first link."""
    first: str | None = None
    for part in hidden(_NEXT_LINK.split(text)):
        named, last = hidden(_numbers_in_link(_without_words(part)))
        if named:
            return Secret(named)
        first = Secret(last) if first is None else first
    return first or ""


def _numbers_in_link(link: str) -> tuple[str, str]:
    """Return the number that a link names, and what its path ends with."""
    link = Secret(link)
    try:
        _scheme, _host, path, query, fragment = hidden(urlsplit(link))
    except ValueError:
        return "", ""
    last = Secret(unquote(path.rstrip("/").rpartition("/")[2]))
    # The fragment first: it names a number on purpose, and never by a page's address.
    for part in (fragment, query):
        told = hidden_members(parse_qsl(part))
        named = hidden_members((_plain(name), told[name]) for name in told)
        for name in _IN_LINKS:
            if name in named:
                return Secret(named[name]), last
    return "", last


def _plain(name: str) -> str:
    name = Secret(name)
    return Secret(name.casefold().replace("_", "").replace("-", ""))


def places_of(number: str, text: str) -> list[tuple[int, int]]:
    """Return where ``number`` stands in a text: from which character to before which.

    By its letters and digits alone, whatever their case or width, and whatever stands
    between them: a venue's dashes are for the eye, a host's own rule may have taken them
    away, and somebody types a full stop behind the last.
    """
    number, text = Secret(number), Secret(text)
    # A number of signs alone is looked for as it is.
    signs = not any(char.isalnum() for char in number)
    wanted, _places = _bare(number, signs=signs)
    bare, places = _bare(text, signs=signs)
    found: list[tuple[int, int]] = []
    start = bare.find(wanted) if wanted else -1
    while start >= 0:
        end = start + len(wanted)
        found.append((places[start], places[end - 1] + 1))
        start = bare.find(wanted, end)
    return found


def is_same(number: str, text: str) -> bool:
    """Tell whether a text is ``number`` and nothing else, however it is spelt."""
    number, text = Secret(number), Secret(text)
    signs = not any(char.isalnum() for char in number)
    bare, _places = _bare(text, signs=signs)
    wanted, _places = _bare(number, signs=signs)
    return bare == wanted


def _bare(text: str, *, signs: bool) -> tuple[str, list[int]]:
    """Return what two spellings of a number share, and the place of each character."""
    text = Secret(text)
    kept, places = [], []
    for place, char in enumerate(text):
        for one in unicodedata.normalize("NFKD", char).casefold():
            if one.isalnum() or (signs and one.isprintable() and not one.isspace()):
                kept.append(one)
                places.append(place)
    return Secret("".join(kept)), places


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

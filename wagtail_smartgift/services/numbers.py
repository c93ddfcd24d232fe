"""Voucher numbers in other people's words: refused where they are typed, else hidden.

A number is sealed wherever we keep it, and worth nothing if it also stands in a reason,
in what a shop noted with a payment, or in the name of something else.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from wagtail_smartgift import codes
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import Redemption, VoucherOrderItem
from wagtail_smartgift.redaction import Secret, hidden
from wagtail_smartgift.services import vault


_WORD = re.compile(r"[^\s\"',;:(){}\[\]]+")


def known(rows: Iterable[Redemption | VoucherOrderItem]) -> list[str]:
    """Return the numbers of these rows, as far as a configured key opens them."""
    numbers: list[str] = []
    for row in rows:
        if row.number_encrypted:
            try:
                numbers.append(Secret(vault.open_sealed(row.number_encrypted)))
            except codes.UndecryptableError:
                continue
    return numbers


def are_in(texts: Iterable[str], numbers: Iterable[str]) -> bool:
    """Tell whether one of the numbers stands in what somebody wrote."""
    texts, numbers = hidden(list(texts)), hidden(list(numbers))
    return any(vault.number_in(text, one) for text in texts for one in numbers)


def are_among(ids: Iterable[object], numbers: Iterable[str]) -> bool:
    """Tell whether one of the numbers was typed where an id belongs."""
    texts, numbers = hidden([str(one) for one in ids]), hidden(list(numbers))
    # Somebody may have read it as a figure before.
    figures = hidden([one.lstrip("0") for one in numbers if one.isdecimal()])
    return any(
        vault.stands_for(text, one) for text in texts for one in (*numbers, *figures)
    )


class Hider:
    """Shows numbers by their last characters, wherever they stand.

    Those that no key opens any more are known by their fingerprints, as single words.
    """

    def __init__(
        self,
        rows: Iterable[Redemption | VoucherOrderItem],
        *,
        account: str,
    ) -> None:
        self._numbers: list[str] = []
        self._prints: set[str] = set()
        for row in rows:
            numbers = known([row])
            self._numbers += hidden(numbers)
            if not numbers:
                self._prints.add(row.fingerprint)
        self._account: Account | None
        try:
            self._account = get_conf().account(account)
        except ImproperlyConfigured:
            self._account = None

    def words(self, text: str) -> str:
        """Return a text without the numbers."""
        shown = vault.hidden_in(text, self._numbers)
        if not self._prints:
            return shown
        return _WORD.sub(lambda found: self._word(found[0]), shown)

    def part(self, value: Any) -> Any:
        """Return a value of JSON without the numbers, in names, texts and figures."""
        if isinstance(value, Mapping):
            return {
                self.words(str(name)): self.part(inner) for name, inner in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.part(inner) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        shown = self.words(str(value))
        return value if shown == str(value) else shown

    def _word(self, word: str) -> str:
        word = Secret(word)
        if self._account is None or len(word) > codes.MAX_VOUCHER_NUMBER_LENGTH:
            return str(word)
        number = vault.normalise(word)
        if vault.fingerprint(number, account=self._account) in self._prints:
            return codes.display_code(number)
        return str(word)


def as_text(value: Any) -> str:
    """Return a value of JSON as somebody reads it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)

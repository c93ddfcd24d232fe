import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from wagtail_smartgift import codes


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("GIFT 1234 5678", "GIFT12345678"),
        ("  gift-1234\t5678\r\n", "gift-12345678"),
        ("1234\u00a05678", "12345678"),
        ("\u200b12\u200d34\ufeff", "1234"),
        ("\uff11\uff12\uff13", "123"),
        ("O0-l1/_.#", "O0-l1/_.#"),
        (" \n", ""),
    ],
)
def test_only_white_space_is_taken_out(typed, sent):
    assert codes.normalise_voucher_number(typed) == sent


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = codes.normalise_voucher_number(text)
    assert codes.normalise_voucher_number(once) == once


LINK = "https://gifts.example.org"


@pytest.mark.parametrize(
    ("scanned", "number"),
    [
        # What a camera reads from the QR code on a card.
        (f"{LINK}/v/GIFT-1234", "GIFT-1234"),
        (f"{LINK}/v/GIFT-1234/", "GIFT-1234"),
        (f"{LINK}/v/GIFT-1234?lang=en&utm_source=card#top", "GIFT-1234"),
        (f"{LINK}/redeem?code=GIFT-1234", "GIFT-1234"),
        # What is on our own cards: behind the address, where no server sees it.
        (f"{LINK}/en/balance/#voucher=GIFT-1234", "GIFT-1234"),
        (f"{LINK}/balance/?lang=en&no=2#voucher=AB%2F12%20%23%26%3D%2B", "AB/12#&=+"),
        (f"{LINK}/v/GIFT-1234#voucher=", "GIFT-1234"),
        (f"{LINK}/?code=GIFT-1234#top=1", "GIFT-1234"),
        (f"{LINK}/redeem/?lang=en&voucher_no=gift%2F12%2034", "gift/1234"),
        (f"{LINK}/redeem?voucher=A+1", "A1"),
        (f"{LINK}/redeem?voucher=A%2B1", "A+1"),
        ("HTTP://GIFTS.EXAMPLE.ORG/V/GIFT-1234", "GIFT-1234"),
        (f"{LINK}/v/GIFT%E2%80%8B-12\u200b34\n", "GIFT-1234"),
        # The likelier name first, whatever else the link says.
        (f"{LINK}/?no=2&code=GIFT-1234", "GIFT-1234"),
        (f"{LINK}/redeem?Code=GIFT-1234", "GIFT-1234"),
        (f"{LINK}/redeem?voucherNo=GIFT-1234&NO=2", "GIFT-1234"),
        (f"{LINK}/redeem#VOUCHER-NUMBER=GIFT-1234", "GIFT-1234"),
        (f"{LINK}/redeem/GIFT-1234?voucherNote=2", "GIFT-1234"),
        # Pasted with the words around it, or broken over two lines.
        (f"Your voucher: {LINK}/v/GIFT-1234", "GIFT-1234"),
        (f"{LINK}/v/GIFT-\n  1234", "GIFT-1234"),
        (f"{LINK}/v/GIFT- 1234", "GIFT-1234"),
        (f"{LINK}/smart gift/balance/#voucher=GIFT-1234", "GIFT-1234"),
        (f"{LINK}/en/bal\nance/#voucher=GIFT-1234", "GIFT-1234"),
        (f"{LINK}/balance/#voucher=ACDEFGHJ KMNPQRTV", "ACDEFGHJKMNPQRTV"),
        (f"{LINK}/balance/#voucher=gift-abcd efgh", "gift-abcdefgh"),
        # What is behind a number is none of it, where that can be told.
        (f"It is {LINK}/balance/#voucher=ABC-123 enjoy!", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC-123 I hope you spend all 50 of it", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC- 123 – viel Spaß damit", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC-123\n\nEnjoy!", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC-123 🎁", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC-123 用它吧", "ABC-123"),
        (f"{LINK}/v/ABC-123/ enjoy", "ABC-123"),
        (f"{LINK}/?code=ABC-123&lang=en enjoy", "ABC-123"),
        (f"{LINK}/redeem?voucher=A+1 enjoy", "A1"),
        (f"Here ({LINK}/v/ABC-123). Enjoy!", "ABC-123"),
        (f"<{LINK}/v/ABC-123> valid until 2028", "ABC-123"),
        (f'<a href="{LINK}/v/ABC-123">Look</a>', "ABC-123"),
        (f"{LINK}/v/ABC%21%20", "ABC!"),
        (f"{LINK}/balance/#voucher=ABC-123 (£50)", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC-123 £50 voucher", "ABC-123"),
        (f"{LINK}/balance/#voucher=ABC-123 {LINK}/help/1", "ABC-123"),
        (f"Visit {LINK}/ – your voucher: {LINK}/#voucher=ABC-123", "ABC-123"),
        (f"{LINK}/v/ABC-123 {LINK}/v/DEF-456", "ABC-123"),
        # Capitals in groups, as a number is printed, are not words.
        (f"{LINK}/#voucher=ACDE FGHJ KMNP QRTV is yours", "ACDEFGHJKMNPQRTV"),
        (f"{LINK}/#voucher=ACDE HAPPY birthday", "ACDE"),
        # A link in a link, as a mail program's guard makes it.
        (f"https://guard.example/?code={LINK}%2Fv%2FGIFT-1234", "GIFT-1234"),
        # None of them has a number: what was typed is looked up, and refused.
        (LINK, LINK),
        (f"{LINK}/?code=", f"{LINK}/?code="),
        ("https://[gifts/v/GIFT-1234", "https://[gifts/v/GIFT-1234"),
        # No links, so nothing of theirs is taken away.
        ("gifts.example.org/GIFT-1234", "gifts.example.org/GIFT-1234"),
        ("code=GIFT?no=1234", "code=GIFT?no=1234"),
        ("A/B:C//D?E&F#G%20", "A/B:C//D?E&F#G%20"),
    ],
)
def test_a_scanned_link_is_read_and_nothing_else_is_touched(scanned, number):
    assert codes.read_voucher_number(scanned) == number
    assert codes.read_voucher_number(number) == number


@given(
    st.lists(
        st.sampled_from(
            ["https://", "a", "/", "?code=", "#code=", "%2F", "%25", "#", "[", " "]
        )
        | st.text(max_size=3),
        max_size=20,
    ).map("".join)
)
def test_reading_twice_changes_nothing(text):
    once = codes.read_voucher_number(text)
    assert codes.read_voucher_number(once) == once


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("GIFT12345678", "…5678"),
        ("123456", "…456"),
        ("12", "…2"),
        ("1", "…"),
        ("", "…"),
    ],
)
def test_never_more_than_half_of_a_number_is_shown(number, shown):
    assert codes.display_code(number) == shown


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("It is GOOD-0100.", [(6, 15)]),
        ("good 01 00", [(0, 10)]),
        ("\uff27OOD/0100, go\u200bod0100", [(0, 9), (11, 20)]),
        ("https://shop.example/GOOD-0100", [(21, 30)]),
        ("GOOD-0101", []),
        ("", []),
    ],
)
def test_a_number_is_found_in_other_words_however_it_is_spelt(text, places):
    for number in ("GOOD-0100", "GOOD0100"):
        assert codes.places_of(number, text) == places


def test_a_number_of_signs_is_found_as_it_is():
    assert codes.places_of("*#*#", "It is * # * #!") == [(6, 13)]
    assert codes.places_of("*#*#", "Nothing of that.") == []
    assert codes.places_of("", "It is.") == []


def test_a_number_alone_is_told_from_one_among_others():
    assert codes.is_same("GOOD-0100", "good 0100")
    assert not codes.is_same("1001", "21001")


def test_own_numbers_are_long_and_easy_to_read():
    numbers = {codes.generate_voucher_number() for _ in range(1000)}

    assert len(numbers) == 1000
    assert all(len(number) == 16 for number in numbers)
    assert not set("".join(numbers)) & set("0O1IL2Z5S8BU")
    assert all(codes.normalise_voucher_number(number) == number for number in numbers)


def test_the_first_key_encrypts_and_all_decrypt():
    old, new = Fernet.generate_key(), Fernet.generate_key()
    sealed = codes.encrypt("GIFT1234", keys=[old])

    assert "GIFT1234" not in sealed
    assert codes.decrypt(sealed, keys=[new, old]) == "GIFT1234"
    again = codes.encrypt("GIFT1234", keys=[new, old])
    assert codes.decrypt(again, keys=[new]) == "GIFT1234"


def test_a_lost_key_is_named_without_the_secret():
    sealed = codes.encrypt("GIFT1234", keys=[Fernet.generate_key()])

    with pytest.raises(codes.UndecryptableError) as refused:
        codes.decrypt(sealed, keys=[Fernet.generate_key()])

    assert "ENCRYPTION_KEYS" in str(refused.value)
    assert refused.value.__cause__ is None


def test_fingerprints_differ_by_account_and_key():
    first = codes.fingerprint("1234", account="default", key=b"key")

    assert first == codes.fingerprint("1234", account="default", key=b"key")
    assert first != codes.fingerprint("1234", account="quay", key=b"key")
    assert first != codes.fingerprint("1234", account="default", key=b"other")
    assert "1234" not in first

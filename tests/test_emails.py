"""One form for an address, however it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_smartgift.emails import email_digest, emails_in, normalise_email


@pytest.mark.parametrize(
    "written",
    [
        "john@example.org",
        "  John@Example.ORG ",
        "JOHN@EXAMPLE.ORG.",
        # Full width, as some keyboards type it.
        "ｊｏｈｎ@example.org",
    ],
)
def test_it_is_one_address_however_written(written):
    assert normalise_email(written) == "john@example.org"
    assert email_digest(written) == email_digest("john@example.org")


def test_accents_and_domains_have_one_form():
    assert normalise_email("JO\u0308RG@BÜCHER.example") == normalise_email(
        "jörg@xn--bcher-kva.example"
    )
    assert email_digest("STRASSE@example.org") == email_digest("straße@example.org")


def test_others_are_others():
    digests = {
        email_digest(text)
        for text in (
            "john@example.org",
            "john+vouchers@example.org",
            "j.ohn@example.org",
            "john@example.com",
        )
    }
    assert len(digests) == 4
    assert email_digest("") == email_digest("  ") == ""


@given(st.text(max_size=40))
def test_doing_it_twice_changes_nothing(text):
    assert normalise_email(normalise_email(text)) == normalise_email(text)


def test_addresses_are_found_in_whatever_a_shop_attaches():
    found = emails_in(
        {
            "customer": {"mail": "Jane <JANE@example.org>, b@example.org."},
            "tags": ["x", 5, None, ["c@example.org;d@example.org"]],
            "e@example.org": True,
            "link": "mailto:f@example.org?subject=hello",
            "none": "@home, a@, 5 @ 10",
        }
    )

    assert found == {
        f"{name}@example.org" for name in ("jane", "b", "c", "d", "e", "f")
    }
    assert emails_in({}) == set()


def test_an_address_shows_in_no_error_report():
    assert repr(normalise_email("john@example.org")) == "<secret>"

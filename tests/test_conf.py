import traceback
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import empty

from wagtail_smartgift import conf
from wagtail_smartgift.conf import Account, get_conf, is_for_trying, is_safe_url


def test_defaults_are_the_documented_ones(configure):
    conf = get_conf()

    assert conf.currency == "GBP"
    assert (conf.timeout, conf.settle, conf.late) == (25, 35, 130)
    assert conf.lease == 90
    assert (conf.session_lifetime, conf.abandoned_after) == (86400, 1800)
    assert conf.rate_limit == 60
    assert conf.own_voucher_codes
    assert not conf.allow_vouchers_for_vouchers
    assert conf.keep_personal_data_days == 730


def test_settings_are_read_into_values(configure):
    configure(
        DELIVERY_METHODS=[{"id": 2, "name": "Post", "price": "3.95", "posted": True}],
        PAYMENT_METHOD="12",
        WEBHOOK_ENDPOINTS=[{"url": "https://shop.example/hook", "secret": "whsec_x"}],
        THROTTLES={"BALANCE_PER_MINUTE": 5},
    )
    conf = get_conf()

    [method] = conf.delivery_methods
    assert (method.id, method.price, method.posted) == ("2", Decimal("3.95"), True)
    assert conf.payment_method == 12
    assert conf.throttles.balance_per_minute == 5
    assert conf.throttles.balance_failures == 5
    assert "whsec_x" not in repr(conf)
    assert "sk_sandbox" not in repr(conf)
    assert "server-key" not in repr(conf)


HASH = "0123456789abcdef" * 2


def earlier(hashes):
    return {"ACCOUNTS": {"default": {"API_KEY": "x", "EARLIER_KEY_HASHES": hashes}}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ACCONTS": {}}, "Known are: ABANDONED_AFTER, ACCOUNTS"),
        ({"ACCOUNTS": []}, "must be a dictionary"),
        ({"ACCOUNTS": {"default": {"KEY": "x"}}}, "Known are: API_KEY"),
        ({"ACCOUNTS": {"default": {"SITE_ID": "1"}}}, "the secret key"),
        (
            {"ACCOUNTS": {"default": {"API_KEY": "x", "BASE_URL": "http://a.example"}}},
            "an https address",
        ),
        (
            {"ACCOUNTS": {"default": {"API_KEY": "x", "BASE_URL": "https://[x"}}},
            "an https address",
        ),
        *(
            ({"PAYMENT_METHOD": wrong}, "PAYMENT_METHOD must be the id of a payment")
            for wrong in ("x", -1, True, False, 0, 1.5, [1], {}, "1 ", 2**31)
        ),
        (
            {
                "DELIVERY_METHODS": [
                    {"id": 1, "name": "By post"},
                    {"id": "1", "name": "By e-mail"},
                ]
            },
            "DELIVERY_METHODS must be a list of different ids, not '1'",
        ),
        ({"SERVER_KEYS": "one"}, "SERVER_KEYS must be a list, not 'str'"),
        (earlier(HASH), "['EARLIER_KEY_HASHES'] must be a list"),
        (earlier(None), "['EARLIER_KEY_HASHES'] must be a list"),
        *(
            (earlier([HASH, wrong]), "hashes as the checks W009 and W015 name them (32")
            for wrong in (
                "sk_secret",
                "",
                None,
                17,
                HASH.upper(),
                HASH[:-1],
                HASH + "0",
                HASH + "\n",
                HASH.encode(),
                [HASH],
            )
        ),
        ({"SERVER_KEYS": "one"}, "SERVER_KEYS must be a list"),
        ({"TIMEOUT": "25"}, "TIMEOUT must be a number"),
        ({"TIMEOUT": True}, "TIMEOUT must be a number"),
        ({"SETTLE": -1}, "SETTLE must be a number"),
        ({"KEEP_PERSONAL_DATA_DAYS": float("nan")}, "must be a number, zero or more"),
        ({"OWN_VOUCHER_CODES": "no"}, "True or False"),
        ({"DELIVERY_METHODS": [{"id": 1}]}, "{id, name, price, posted}"),
        ({"DELIVERY_METHODS": [{"id": 1, "name": "x", "price": "free"}]}, "amount"),
        ({"THROTTLES": {"BALANCE": 5}}, "Known are: BALANCE_FAILURES"),
        (
            {"WEBHOOK_ENDPOINTS": [{"url": "https://x"}]},
            "{url, secret, events?, allow_private?}",
        ),
    ],
)
def test_a_wrong_setting_says_what_it_should_be(configure, values, said):
    configure(**values)

    with pytest.raises(ImproperlyConfigured) as refused:
        get_conf()

    assert said in str(refused.value)


@pytest.mark.parametrize("shape", [list, tuple, set])
def test_earlier_keys_are_known_by_their_hashes(configure, shape):
    configure(**earlier(shape([HASH])))
    account = get_conf().account("default")

    assert account.key_hashes == (account.key_hash, HASH)
    assert [type(one) for one in account.earlier_key_hashes] == [str]


@pytest.mark.parametrize("shape", [list, tuple, set])
def test_a_key_in_place_of_its_hash_is_shown_nowhere(configure, shape):
    configure(**earlier(shape(["sk_zebra_quokka"])))

    with pytest.raises(ImproperlyConfigured) as refused:
        get_conf()

    seen = "".join(
        repr(frame.f_locals)
        for frame, _line in traceback.walk_tb(refused.value.__traceback__)
        if frame.f_code.co_filename.startswith(str(Path(conf.__file__).parent))
    )
    assert "API_KEY" in seen
    assert "quokka" not in f"{refused.value}{seen}"


def accounts(**others):
    base = {"BASE_URL": "https://gifts.example"}
    return {
        alias: {**base, "API_KEY": alias, **other} for alias, other in others.items()
    }


def hash_of(key):
    return Account(alias="", base_url="", api_key=key, site_id="").key_hash


@pytest.mark.parametrize(
    "others",
    [
        {
            "default": {"EARLIER_KEY_HASHES": [HASH]},
            "quay": {"EARLIER_KEY_HASHES": [HASH]},
        },
        {"default": {"EARLIER_KEY_HASHES": [hash_of("quay")]}, "quay": {}},
        {"default": {}, "quay": {"EARLIER_KEY_HASHES": [HASH, hash_of("default")]}},
    ],
)
def test_a_key_is_of_one_company(configure, others):
    configure(ACCOUNTS=accounts(**others))

    with pytest.raises(ImproperlyConfigured) as refused:
        get_conf()

    assert "A key is of one company: leave its hash with the account" in str(
        refused.value
    )
    assert "'default'" in str(refused.value)
    assert "'quay'" in str(refused.value)


@pytest.mark.parametrize(
    "apart",
    [
        {"BASE_URL": "https://other.example"},
        # Two names of one company, as its one key says.
        {"API_KEY": "default"},
        {"EARLIER_KEY_HASHES": [HASH[::-1]]},
    ],
)
def test_what_is_no_contradiction_is_taken(configure, apart):
    shared = {"EARLIER_KEY_HASHES": [HASH]}
    configure(ACCOUNTS=accounts(default=shared, quay={**shared, **apart}))

    assert get_conf().account("default").earlier_key_hashes == (HASH,)


def test_a_key_that_came_back_may_be_listed(configure):
    configure(**earlier([hash_of("x")]))

    assert get_conf().account("default").key_hash == hash_of("x")


def test_no_setting_at_all_shows_the_least_that_is_needed(settings):
    settings.WAGTAIL_SMARTGIFT = empty

    with pytest.raises(ImproperlyConfigured, match="ACCOUNTS"):
        get_conf()


def test_an_unknown_account_names_the_known_ones():
    with pytest.raises(ImproperlyConfigured, match="it has default"):
        get_conf().account("quay")


def test_outside_debug_a_key_must_be_chosen(configure, settings):
    configure(ENCRYPTION_KEYS=[])
    assert get_conf().encryption_keys == ()

    settings.DEBUG = True
    assert len(get_conf().encryption_keys) == 1


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://api.smart-gift.co.uk", True),
        ("http://127.0.0.1:8765", True),
        ("http://[::1]:8765", True),
        ("http://localhost", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.1", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("", False),
    ],
)
def test_plain_http_only_reaches_this_machine(url, safe):
    assert is_safe_url(url) is safe


@pytest.mark.parametrize(
    ("url", "trying"),
    [
        ("https://api.devsmartgift.co.uk", True),
        ("http://127.0.0.1:8765", True),
        ("https://api.smart-gift.co.uk", False),
        ("https://devsmartgift.co.uk.example", False),
        ("https://notdevsmartgift.co.uk", False),
        ("https://gateway.example", False),
    ],
)
def test_what_is_not_known_to_be_for_trying_is_production(url, trying):
    assert is_for_trying(url) is trying

"""Checks of the ``WAGTAIL_SMARTGIFT`` setting (E001 to E014, E020, E021, W002 to W012)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from wagtail_smartgift.checks.messages import APP, Messages, error, warning
from wagtail_smartgift.conf import (
    SETTING,
    SHORTEST_WEBHOOK_SECRET,
    Conf,
    Throttles,
    get_conf,
    is_safe_url,
    is_webhook_secret,
)
from wagtail_smartgift.models.settings import DEFAULT_ACCOUNT
from wagtail_smartgift.redaction import Secret, hidden
from wagtail_smartgift.signals import SIGNALS


#: Characters of a secret that nobody guesses, even if it is a phrase.
SHORTEST_SECRET = 32
#: Seconds that Smart Gift holds a voucher (its docs, /redeem/hold).
HOLD = 300
#: Smart Gift gets the shop's reference behind the prefix; ours has 64 characters.
LONGEST_PREFIX = 64

MAKE_A_KEY = "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`"


@register(APP)
def check_settings(**_kwargs: object) -> list[CheckMessage]:
    """Report what is wrong with ``WAGTAIL_SMARTGIFT`` itself."""
    try:
        conf = get_conf()
    except ImproperlyConfigured as problem:
        return [
            error(
                "E001",
                str(problem),
                f"Correct {SETTING} in your settings; its reference has every name "
                "with its default.",
            )
        ]
    return [
        *_accounts(conf),
        *_keys(conf),
        *_hooks(conf),
        *_webhooks(conf),
        *_mail(conf),
        *_values(conf),
        *_unset(conf),
    ]


@register(APP, deploy=True)
def check_settings_for_production(**_kwargs: object) -> list[CheckMessage]:
    """Report what only matters once real vouchers are at stake."""
    try:
        conf = get_conf()
    except ImproperlyConfigured:
        return []
    found: list[CheckMessage] = []
    if not _raw("FINGERPRINT_KEY"):
        found.append(
            warning(
                "W008",
                f"{SETTING}['FINGERPRINT_KEY'] is not set, so it is made of SECRET_KEY: "
                "after a change of that one no stored voucher is found again.",
                "Set FINGERPRINT_KEY to a long random text of its own.",
            )
        )
    if not conf.timeout <= conf.settle <= conf.late:
        found.append(
            warning(
                "W010",
                f"{SETTING}: TIMEOUT, SETTLE and LATE are not in ascending order, so a "
                "late answer may be taken for a lost one and a voucher be charged twice.",
                "Leave them out: the defaults (25, 35 and 130 seconds) were measured.",
            )
        )
    return found


def _accounts(conf: Conf) -> Messages:
    if DEFAULT_ACCOUNT not in conf.accounts:
        yield error(
            "E002",
            f"{SETTING}['ACCOUNTS'] has no account {DEFAULT_ACCOUNT!r}; it has "
            f"{', '.join(map(repr, conf.accounts)) or 'none'}.",
            f"Add {DEFAULT_ACCOUNT!r} with API_KEY, BASE_URL and SITE_ID: it is the "
            "account of every site that does not choose another one.",
        )
    for account in conf.accounts.values():
        if not account.site_id:
            yield warning(
                "W006",
                f"{SETTING}['ACCOUNTS'][{account.alias!r}] has no SITE_ID, which Smart "
                "Gift wants with every voucher that is checked or redeemed.",
                "Set it to the number under Company configuration in Smart Gift, or "
                "enter one for each site under Settings > Gift vouchers.",
            )


def _keys(conf: Conf) -> Messages:
    if not conf.encryption_keys:
        yield error(
            "E003",
            f"{SETTING}['ENCRYPTION_KEYS'] is not set. Voucher numbers are money and "
            "are stored encrypted only.",
            f"Set it to a list with one key, made by {MAKE_A_KEY}. Keep it as you keep "
            "the database password: without it no stored voucher opens again.",
        )
    for name in ("ENCRYPTION_KEYS", "FINGERPRINT_KEY"):
        if any(len(text) < SHORTEST_SECRET for text in _texts(_raw(name))):
            yield warning(
                "W012",
                f"{SETTING}[{name!r}] has a key of fewer than {SHORTEST_SECRET} "
                "characters, which can be guessed.",
                f"Make one with {MAKE_A_KEY}. Where vouchers are stored already, put the "
                "new encryption key first and keep the old one behind it; change the "
                "fingerprint key with smartgift_rekey.",
            )
    if any(len(key) < SHORTEST_SECRET for key in conf.server_keys):
        yield warning(
            "W004",
            f"{SETTING}['SERVER_KEYS'] has a key of fewer than {SHORTEST_SECRET} "
            "characters. Whoever guesses it can redeem and refund.",
            f"Make one with {MAKE_A_KEY}.",
        )


def _hooks(conf: Conf) -> Messages:
    for name in ("EXPERIENCE_VALUE", "NORMALISE_VOUCHER_NUMBER", "ADD_TO_BASKET"):
        path = getattr(conf, name.lower())
        if path is None:
            continue
        if not isinstance(path, str):
            problem = "is not a dotted path"
        else:
            try:
                problem = "" if callable(conf.hook(name.lower())) else "is no function"
            except ImportError as reason:
                problem = f"cannot be imported: {reason}"
        if problem:
            yield error(
                "E005",
                f"{SETTING}[{name!r}] {problem}.",
                'Set it to the dotted path of a function, as "shop.vouchers.name", or '
                "leave it out.",
            )


def _webhooks(conf: Conf) -> Messages:
    endpoints = conf.webhook_endpoints
    secrets = {
        "WEBHOOK_SECRETS": conf.webhook_secrets,
        "WEBHOOK_ENDPOINTS": [endpoint.secret for endpoint in endpoints],
    }
    for name, values in secrets.items():
        if not all(map(is_webhook_secret, values)):
            yield error(
                "E007",
                f"{SETTING}[{name!r}] has a secret that is not of the form whsec_… with "
                f"at least {SHORTEST_WEBHOOK_SECRET} bytes in base64.",
                "Make one with `python -c 'import base64, secrets; "
                'print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())\'`.',
            )
    for endpoint in endpoints:
        if not is_safe_url(endpoint.url):
            yield error(
                "E008",
                f"{SETTING}['WEBHOOK_ENDPOINTS']: {endpoint.label!r} is not https.",
                "Use an https address; http is for a loopback address only.",
            )
        unknown = sorted(set(endpoint.events) - set(SIGNALS))
        if unknown:
            yield error(
                "E009",
                f"{SETTING}['WEBHOOK_ENDPOINTS']: there is no event "
                f"{', '.join(map(repr, unknown))}.",
                f"Known are: {', '.join(sorted(SIGNALS))}. Leave events out to get all.",
            )

    counts = Counter(endpoint.url for endpoint in endpoints)
    for endpoint in endpoints:
        if counts.pop(endpoint.url, 0) > 1:
            yield error(
                "E020",
                f"{SETTING}['WEBHOOK_ENDPOINTS'] has {endpoint.label!r} twice, and an "
                "event goes to an address once.",
                "Leave one of them, with the events of both.",
            )


def _mail(conf: Conf) -> Messages:
    for address in conf.attention_emails:
        try:
            validate_email(address)
        except ValidationError:
            yield error(
                "E021",
                f"{SETTING}['ATTENTION_EMAILS']: {address!r} is no e-mail address.",
                'List plain addresses, as "shop@example.org".',
            )


def _values(conf: Conf) -> Messages:
    # Settings of plain text come as the host wrote them, whatever that is.
    currency: object = conf.currency
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isupper()):
        yield error(
            "E010",
            f"{SETTING}['CURRENCY'] must be the three letters of ISO 4217, not "
            f"{currency!r}.",
            'Leave it out for "GBP", the currency of Smart Gift.',
        )
    prefix: object = conf.reference_prefix
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX:
        yield error(
            "E011",
            f"{SETTING}['REFERENCE_PREFIX'] must be text of at most {LONGEST_PREFIX} "
            "characters.",
            'Set it to something short, as "mill-".',
        )
    if conf.lease >= HOLD:
        yield error(
            "E012",
            f"{SETTING}: TIMEOUT and SETTLE ask for a hold that lasts {conf.lease:g} "
            f"seconds, and Smart Gift's last {HOLD}: no voucher could ever be redeemed.",
            "Leave TIMEOUT and SETTLE out: the defaults are 25 and 35 seconds.",
        )
    if conf.rate_limit < 1:
        yield warning(
            "W011",
            f"{SETTING}['RATE_LIMIT'] switches the shared quota off: tills, the sync "
            "and checkouts take calls from one another.",
            "Leave it out for Smart Gift's own limit of 60 calls a minute.",
        )
    for item in fields(Throttles):
        value = getattr(conf.throttles, item.name)
        if value is None and item.default is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield error(
                "E014",
                f"{SETTING}['THROTTLES'][{item.name.upper()!r}] must be a whole number, "
                f"zero or more, not {value!r}.",
                "Correct it, or leave it out for its default.",
            )


def _unset(conf: Conf) -> Messages:
    if conf.add_to_basket is None:
        yield warning(
            "W002",
            f"{SETTING}['ADD_TO_BASKET'] is not set: vouchers can be looked at but not "
            "bought on the pages.",
            "Set it to the dotted path of a function (request, choice) -> HttpResponse "
            "that puts the chosen voucher into your basket.",
        )
    if not conf.delivery_methods:
        yield warning(
            "W003",
            f"{SETTING}['DELIVERY_METHODS'] is empty, and Smart Gift cannot be asked "
            "for them: no voucher can be bought.",
            "List them as {id, name, price, posted}, with the numbers that Smart Gift "
            "shows; or silence this where every site has its own in the Wagtail admin.",
        )


def _raw(name: str) -> object:
    """Return a setting as it is written: the keys are no longer text in the conf."""
    raw = hidden(getattr(django_settings, SETTING, None))
    return raw.get(name) if isinstance(raw, Mapping) else None


def _texts(value: object) -> list[str]:
    if not value:
        return []
    if isinstance(value, (list, tuple, set)):
        return [Secret(item) for item in value if item]
    return [Secret(value)]

"""Every misconfiguration has a check, and every check is in the reference."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.db import connection
from django.utils import timezone
from wagtail.models import Site

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    CapabilityRecord,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    Redemption,
    SmartGiftSettings,
    VoucherOrder,
    WebhookDelivery,
)


REPOSITORY = Path(__file__).resolve().parent.parent
SETTING = "WAGTAIL_SMARTGIFT"
ACCOUNT = {"API_KEY": "sk_secret", "BASE_URL": "https://gifts.example", "SITE_ID": "1"}
LONG = "a text that is long enough to be a key of its own"
WEBHOOK_SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" + "MfKQ9r8G"
ENDPOINT = {"url": "https://a.example/hook", "secret": WEBHOOK_SECRET}


def ours(**options):
    """Return our messages whole."""
    return [
        message
        for message in run_checks(**options)
        if str(message.id).startswith("wagtail_smartgift.")
    ]


def found(*, deploy=False, databases=None, but=("W013",)):
    """Return the numbers of our messages, as ``E001``, and look at their shape.

    Nobody probes the accounts of these tests, but where that is what they are about.
    """
    messages = [
        message
        for message in ours(include_deployment_checks=deploy, databases=databases or [])
        if message.id.partition(".")[2] not in but
    ]
    for message in messages:
        assert message.hint
        assert "sk_secret" not in f"{message.msg}{message.hint}"
    return [message.id.partition(".")[2] for message in messages]


def host_basket(request, choice):
    """Stands for a host's ADD_TO_BASKET."""


@pytest.fixture
def smartgift(settings):
    """A host that has set up everything; change it by calling this."""

    def change(**changes):
        conf = {
            "ACCOUNTS": {"default": ACCOUNT},
            "ENCRYPTION_KEYS": [LONG],
            "FINGERPRINT_KEY": LONG,
            "SERVER_KEYS": [LONG],
            "WEBHOOK_SECRETS": [WEBHOOK_SECRET],
            "ADD_TO_BASKET": "tests.test_checks.host_basket",
            "DELIVERY_METHODS": [
                {"id": 1, "name": "E-mail", "price": "0.00", "posted": False}
            ],
            **changes,
        }
        settings.WAGTAIL_SMARTGIFT = {
            name: value for name, value in conf.items() if value is not None
        }

    change()
    return change


def test_a_complete_setup_is_silent(smartgift):
    assert found(deploy=True) == []


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"ACOUNTS": {}}, "E001"),
        ({"ACCOUNTS": []}, "E001"),
        ({"ACCOUNTS": {"default": {**ACCOUNT, "API_KEY": ""}}}, "E001"),
        (
            {"ACCOUNTS": {"default": {**ACCOUNT, "EARLIER_KEY_HASHES": ["sk_secret"]}}},
            "E001",
        ),
        (
            {"ACCOUNTS": {"default": {**ACCOUNT, "BASE_URL": "http://a.example"}}},
            "E001",
        ),
        ({"ACCOUNTS": {"default": {**ACCOUNT, "SITE": "1"}}}, "E001"),
        ({"SERVER_KEYS": LONG}, "E001"),
        ({"TIMEOUT": -1}, "E001"),
        ({"OWN_VOUCHER_CODES": "yes"}, "E001"),
        ({"DELIVERY_METHODS": [{"id": 1, "name": "Post", "price": "free"}]}, "E001"),
        ({"THROTTLES": {"BALANCE": 1}}, "E001"),
        ({"ACCOUNTS": {}}, "E002"),
        ({"ACCOUNTS": {"spa": ACCOUNT}}, "E002"),
        ({"ENCRYPTION_KEYS": None}, "E003"),
        ({"ENCRYPTION_KEYS": [LONG, "short"]}, "W012"),
        ({"FINGERPRINT_KEY": "short"}, "W012"),
        ({"ADD_TO_BASKET": "tests.test_checks.nothing"}, "E005"),
        ({"ADD_TO_BASKET": "nowhere.at_all"}, "E005"),
        ({"EXPERIENCE_VALUE": "tests.test_checks.SETTING"}, "E005"),
        ({"NORMALISE_VOUCHER_NUMBER": str.strip}, "E005"),
        ({"WEBHOOK_SECRETS": ["a secret"]}, "E007"),
        ({"WEBHOOK_SECRETS": ["whsec_c2hvcnQ="]}, "E007"),
        ({"WEBHOOK_ENDPOINTS": [{"url": "https://a.example", "secret": "x"}]}, "E007"),
        (
            {
                "WEBHOOK_ENDPOINTS": [
                    {"url": "http://a.example", "secret": WEBHOOK_SECRET}
                ]
            },
            "E008",
        ),
        (
            {
                "WEBHOOK_ENDPOINTS": [
                    {
                        "url": "https://a.example",
                        "secret": WEBHOOK_SECRET,
                        "events": ["voucher.eaten"],
                    }
                ]
            },
            "E009",
        ),
        ({"WEBHOOK_ENDPOINTS": [ENDPOINT, ENDPOINT]}, "E020"),
        ({"ATTENTION_EMAILS": ["staff"]}, "E021"),
        ({"CURRENCY": "pounds"}, "E010"),
        ({"CURRENCY": 826}, "E010"),
        ({"REFERENCE_PREFIX": "x" * 65}, "E011"),
        ({"TIMEOUT": 200, "SETTLE": 100}, "E012"),
        ({"THROTTLES": {"SESSION_FAILURES": "10"}}, "E014"),
        ({"ADD_TO_BASKET": None}, "W002"),
        ({"DELIVERY_METHODS": []}, "W003"),
        ({"SERVER_KEYS": ["short"]}, "W004"),
        ({"RATE_LIMIT": 0}, "W011"),
        ({"ACCOUNTS": {"default": {**ACCOUNT, "SITE_ID": ""}}}, "W006"),
    ],
)
def test_a_wrong_setting_is_named(smartgift, changes, number):
    smartgift(**changes)
    assert set(found()) == {number}


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"FINGERPRINT_KEY": None}, "W008"),
        ({"SETTLE": 10}, "W010"),
    ],
)
def test_some_matter_in_production_only(smartgift, changes, number):
    smartgift(**changes)
    assert found() == []
    assert found(deploy=True) == [number]


def test_a_missing_setting_says_what_to_write(settings):
    settings.WAGTAIL_SMARTGIFT = None
    [message] = ours()
    assert message.id == "wagtail_smartgift.E001"
    assert '"ACCOUNTS": {"default": {"API_KEY"' in message.msg


def test_debug_needs_no_encryption_key(smartgift, settings):
    settings.DEBUG = True
    smartgift(ENCRYPTION_KEYS=None)
    assert found() == []


@pytest.mark.parametrize(
    ("app", "number"),
    [("wagtail.contrib.settings", "E006"), ("wagtail.contrib.routable_page", "W005")],
)
def test_a_missing_app_is_named(smartgift, monkeypatch, app, number):
    apps = [name for name in django_settings.INSTALLED_APPS if name != app]
    # Not by the settings fixture: that would unload the app and its models.
    monkeypatch.setattr(django_settings, "INSTALLED_APPS", apps)
    assert found() == [number]


def test_moments_need_time_zones(smartgift, settings):
    settings.USE_TZ = False
    assert found() == ["E015"]


def test_atomic_requests_are_pointed_out(smartgift, monkeypatch):
    databases = {"default": {"ATOMIC_REQUESTS": True}}
    monkeypatch.setattr(django_settings, "DATABASES", databases)
    assert found() == ["W007"]


def test_unmounted_addresses_are_pointed_out(smartgift, settings):
    settings.ROOT_URLCONF = "wagtail.urls"
    assert found() == ["W001"]


def make_session(account, **values):
    session = PaymentSession(
        reference=f"order-{PaymentSession.objects.count()}",
        currency="GBP",
        amount_due="80.00",
        amount_eligible="80.00",
        last_active_at=timezone.now(),
        **values,
    )
    session.bind_to(account)
    session.save()
    return session


def test_rows_of_this_account_are_silent(db, smartgift):
    make_session(get_conf().account("default"), status="confirming")
    assert found(databases=["default"]) == []


def test_rows_are_not_asked_for_without_a_database(smartgift):
    # No db fixture: a query would fail.
    assert found() == []


def test_open_rows_of_a_removed_account_are_an_error(db, smartgift):
    # given money of the spa that is still on its way, and some that has arrived
    smartgift(ACCOUNTS={"default": ACCOUNT, "spa": ACCOUNT})
    spa = get_conf().account("spa")
    make_session(spa, status="confirming")
    make_session(spa, status="confirmed")

    # when the account goes
    smartgift()

    # then the one on its way is counted
    probed()
    [message] = ours(databases=["default"])
    assert message.id == "wagtail_smartgift.E016"
    assert message.msg.startswith("1 unfinished payment")
    assert "'spa'" in message.msg


def test_settled_rows_of_a_removed_account_are_silent(db, smartgift):
    smartgift(ACCOUNTS={"default": ACCOUNT, "spa": ACCOUNT})
    make_session(get_conf().account("spa"), status="confirmed")
    make_session(get_conf().account("spa"), status="open")
    smartgift()
    assert found(databases=["default"]) == []


@pytest.mark.parametrize(
    "changed", [{"API_KEY": "sk_secret_2"}, {"BASE_URL": "https://other.example"}]
)
def test_rows_of_another_key_or_address_are_a_warning(db, smartgift, changed):
    make_session(get_conf().account("default"), next_look_at=timezone.now())
    smartgift(ACCOUNTS={"default": {**ACCOUNT, **changed}})
    assert found(databases=["default"]) == ["W009"]


def make_two_vouchers(session, **values):
    for position in (1, 2):
        Redemption.objects.create(
            session=session,
            position=position,
            number_encrypted="",
            fingerprint=str(position),
            display_code="…1234",
            **values,
        )


def test_a_held_voucher_makes_an_open_session_count_once(db, smartgift):
    session = make_session(get_conf().account("default"), status="open")
    make_two_vouchers(session, status="held")
    smartgift(ACCOUNTS={"default": {**ACCOUNT, "API_KEY": "sk_secret_2"}})
    probed()
    [message] = ours(databases=["default"])
    assert message.msg.startswith("1 unfinished payment")


def test_an_unsettled_voucher_order_counts(db, smartgift):
    order = VoucherOrder(reference="a", remote_reference="a", status="queued")
    order.bind_to(get_conf().account("default"))
    order.save()
    smartgift(ACCOUNTS={"default": {**ACCOUNT, "API_KEY": "sk_secret_2"}})
    assert found(databases=["default"]) == ["W009"]


def make_message(account=None, **values):
    message = InboxMessage(webhook_id="m", type="order.paid", **values)
    if account is not None:
        message.bind_to(account)
    message.save()


def make_event(account, *, deliveries=(), **values):
    event = OutboxEvent(type="session.confirmed", **values)
    event.bind_to(account)
    event.save()
    for number, status in enumerate(deliveries):
        WebhookDelivery.objects.create(
            event=event,
            endpoint_digest=str(number),
            status=status,
            settled_at=None if status == "pending" else timezone.now(),
        )


@pytest.mark.parametrize("status", ["received", "processing"])
@pytest.mark.parametrize(
    ("accounts", "number"),
    [
        ({"default": {**ACCOUNT, "API_KEY": "sk_secret_2"}}, "W009"),
        ({"default": ACCOUNT}, "E016"),
    ],
)
def test_a_message_that_waits_counts(db, smartgift, status, accounts, number):
    smartgift(ACCOUNTS={"default": ACCOUNT, "spa": ACCOUNT})
    alias = "spa" if number == "E016" else "default"
    make_message(get_conf().account(alias), status=status)
    assert found(databases=["default"]) == []
    smartgift(ACCOUNTS=accounts)
    assert found(databases=["default"]) == [number]


@pytest.mark.parametrize("status", ["processed", "ignored", "failed"])
def test_a_message_that_is_over_counts_nothing(db, smartgift, status):
    make_message(get_conf().account("default"), status=status)
    smartgift(ACCOUNTS={"default": {**ACCOUNT, "API_KEY": "sk_secret_2"}})
    assert found(databases=["default"]) == []


def test_a_message_that_came_to_no_account_is_nobodys(db, smartgift):
    make_message(status="received")
    assert found(databases=["default"]) == []


@pytest.mark.parametrize(
    ("told", "deliveries", "numbers"),
    [
        (False, (), ["W009"]),
        # Once, however many endpoints wait for it.
        (True, ("pending", "pending"), ["W009"]),
        (True, ("delivered", "failed"), []),
        (True, (), []),
    ],
)
def test_an_event_that_is_not_told_counts(db, smartgift, told, deliveries, numbers):
    make_event(
        get_conf().account("default"),
        dispatched_at=timezone.now() if told else None,
        deliveries=deliveries,
    )
    assert found(databases=["default"]) == []
    smartgift(ACCOUNTS={"default": {**ACCOUNT, "API_KEY": "sk_secret_2"}})
    assert found(databases=["default"]) == numbers
    probed()
    for message in ours(databases=["default"]):
        assert message.msg.startswith("1 unfinished")


def test_what_was_paid_with_another_key_is_a_warning(db, smartgift):
    session = make_session(get_conf().account("default"), status="confirmed")
    make_two_vouchers(session, status="redeemed", proof="person", amount="10.00")
    assert found(databases=["default"]) == []
    smartgift(ACCOUNTS={"default": {**ACCOUNT, "API_KEY": "sk_secret_2"}})
    probed()
    [message] = ours(databases=["default"])
    assert message.id == "wagtail_smartgift.W015"
    assert message.msg.startswith("1 confirmed payments")


def test_a_site_without_its_account_is_an_error(db, smartgift):
    SmartGiftSettings.objects.create(site=Site.objects.get(), account="spa")
    assert found(databases=["default"]) == ["E017"]


def probed(*, days_ago=0, account=None):
    record = CapabilityRecord(
        check_while_held=True, probed_at=timezone.now() - timedelta(days=days_ago)
    )
    record.bind_to(account or get_conf().account("default"))
    record.save()


def test_an_account_that_was_never_probed_is_a_warning(db, smartgift):
    [message] = ours(databases=["default"])

    assert message.id == "wagtail_smartgift.W013"
    assert "never probed" in message.msg
    assert "smartgift_probe" in message.hint
    assert found(but=()) == []  # Not without a database.


@pytest.mark.parametrize(("days_ago", "numbers"), [(89, []), (90, ["W013"])])
def test_a_record_is_fresh_for_90_days(db, smartgift, days_ago, numbers):
    probed(days_ago=days_ago)
    assert found(databases=["default"], but=()) == numbers


@pytest.mark.parametrize(
    "changed", [{"API_KEY": "sk_secret_2"}, {"BASE_URL": "https://other.example"}]
)
def test_a_record_of_another_key_or_address_is_none(db, smartgift, changed):
    probed()
    smartgift(ACCOUNTS={"default": {**ACCOUNT, **changed}})
    assert found(databases=["default"], but=()) == ["W013"]


def test_each_account_is_probed_for_itself(db, smartgift):
    probed()
    smartgift(ACCOUNTS={"default": ACCOUNT, "spa": {**ACCOUNT, "API_KEY": "sk_spa"}})
    [message] = ours(databases=["default"])
    assert "'spa'" in message.msg


def test_nobody_has_to_probe_the_sandbox(db, smartgift):
    smartgift(ACCOUNTS={"default": {**ACCOUNT, "BASE_URL": "http://127.0.0.1:8765"}})
    assert found(databases=["default"], but=()) == []


def test_a_database_that_is_not_migrated_is_not_asked(db, smartgift):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {CapabilityRecord._meta.db_table}")
    assert found(databases=["default"], but=()) == []


@pytest.mark.parametrize("url", ["http://{}", "https://{}"])
def test_no_password_of_an_endpoint_is_shown(smartgift, url):
    address = url.format("shop:pa55@a.example/hook?token=t0ken")
    endpoint = {"url": address, "secret": WEBHOOK_SECRET}
    smartgift(WEBHOOK_ENDPOINTS=[endpoint, endpoint])

    messages = run_checks()

    said = " ".join(f"{message.msg} {message.hint}" for message in messages)
    assert "a.example/hook" in said
    assert "pa55" not in said
    assert "t0ken" not in said


def test_the_reference_lists_each_check_once():
    source = "".join(
        path.read_text()
        for path in (REPOSITORY / "wagtail_smartgift/checks").glob("*.py")
    )
    reference = (REPOSITORY / "docs/reference/checks.md").read_text()
    in_source = sorted(set(re.findall(r'"([EW]\d{3})"', source)))
    assert in_source == sorted(
        re.findall(r"^\| ([EW]\d{3}) \|", reference, re.MULTILINE)
    )

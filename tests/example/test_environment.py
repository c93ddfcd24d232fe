"""What the environment may say, and what is said about what it may not."""

import socket
import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from mill import env, local_smartgift
from tests.example.shop import Shop
from wagtail_smartgift.sandbox import Sandbox


@pytest.fixture
def variable(monkeypatch):
    return lambda value: monkeypatch.setenv("V", value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://me:p%40ss@db.example:5433/shop?sslmode=require",
            {
                "NAME": "shop",
                "USER": "me",
                "PASSWORD": "p@ss",
                "HOST": "db.example",
                "PORT": 5433,
                "OPTIONS": {"sslmode": "require"},
            },
        ),
        (
            "postgresql:///shop?host=/run/postgresql",
            {"NAME": "shop", "HOST": "/run/postgresql", "OPTIONS": {}},
        ),
    ],
)
def test_a_postgresql_address_is_read(variable, tmp_path, url, expected):
    variable(url)

    settings = env.database("V", default=tmp_path / "x")

    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert {name: settings[name] for name in expected} == expected


def test_a_sqlite_address_is_read(variable, tmp_path):
    variable("sqlite:////srv/shop.sqlite3")
    assert env.database("V", default=tmp_path)["NAME"] == "/srv/shop.sqlite3"

    variable("")
    assert env.database("V", default=tmp_path / "m")["NAME"] == str(tmp_path / "m")


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@db/shop", "sqlite://", "postgres://me:secret@db", "x"]
)
def test_another_database_is_refused_without_its_password(variable, tmp_path, url):
    variable(url)

    with pytest.raises(ImproperlyConfigured, match="^V ") as error:
        env.database("V", default=tmp_path)

    assert "secret" not in str(error.value)


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_a_switch_is_on_or_off(variable, value):
    variable(value)

    with pytest.raises(ImproperlyConfigured, match="must be 1 or 0"):
        env.flag("V", default=True)


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e99", "sixty"])
def test_a_number_is_one(variable, value):
    variable(value)

    with pytest.raises(ImproperlyConfigured, match="V must be a number"):
        env.number("V", float)


@pytest.mark.parametrize("value", ["{", "{}", "[1]", '"x"'])
def test_a_list_is_a_list_of_objects(variable, value):
    variable(value)

    with pytest.raises(ImproperlyConfigured, match="^V "):
        env.json_list("V", [])


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"DJANGO_DEBUG": "0"}, "Set DJANGO_SECRET_KEY"),
        (
            {"DJANGO_DEBUG": "0", "DJANGO_SECRET_KEY": "x"},
            "set SMARTGIFT_ENCRYPTION_KEYS",
        ),
        ({"SMARTGIFT_API_KEY": ""}, "set SMARTGIFT_API_KEY"),
        ({"SMARTGIFT_DELIVERY_METHODS": '[{"id": 1}]'}, "DELIVERY_METHODS"),
        ({"SMARTGIFT_BASE_URL": "http://example.org"}, "https"),
        ({"SMARTGIFT_BASE_URL": "https://[example.org"}, "is no address"),
    ],
)
def test_what_is_missing_is_named(tmp_path, variables, message):
    shop = Shop(tmp_path, "http://127.0.0.1:9", **variables)

    assert message in shop.manage("check", fails=True)


@pytest.fixture
def local(monkeypatch, tmp_path, unused_tcp_address):
    """The local server at an address and in a file of this test's own."""
    monkeypatch.setattr(local_smartgift, "ADDRESS", unused_tcp_address)
    monkeypatch.setattr(local_smartgift, "DATABASE", tmp_path / "var" / "s.sqlite3")
    for name in ("SMARTGIFT_BASE_URL", "SMARTGIFT_API_KEY", "RUN_MAIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def unused_tcp_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()


@pytest.mark.usefixtures("local")
def test_a_command_that_needs_smart_gift_gets_one_and_its_state_stays(tmp_path):
    with local_smartgift.running_for(["smartgift_sync"]):
        assert local_smartgift._listens()
    assert not local_smartgift._listens()

    with local_smartgift.running_for(["runserver"]):
        pass
    kept = Sandbox(database=local_smartgift.DATABASE)
    assert kept.voucher("GOOD-0050-0001").balance == 50
    kept.close()


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("arguments", [[], ["migrate"], ["smartgift_sync", "--help"]])
def test_other_commands_start_nothing(arguments):
    with local_smartgift.running_for(arguments):
        assert not local_smartgift._listens()


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("name", "value"),
    [("SMARTGIFT_BASE_URL", "https://example.org"), ("RUN_MAIN", "true")],
)
def test_nothing_is_started_for_another_server_or_twice(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with local_smartgift.running_for(["runserver"]):
        assert not local_smartgift._listens()


@pytest.mark.usefixtures("local")
def test_a_long_command_goes_on_when_the_one_with_the_server_ends(monkeypatch):
    monkeypatch.setattr(local_smartgift, "_PAUSE", 0.05)
    first, second = local_smartgift.Keeper(), local_smartgift.Keeper()
    first.start()
    second.start()

    first.stop()

    try:
        deadline = time.monotonic() + 20
        while not local_smartgift._listens():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        second.stop()

"""The settings of the test suite: a host that is as plain as a host can be."""

import os
from pathlib import Path
from typing import Any

import django


REPOSITORY = Path(__file__).resolve().parent.parent

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "Europe/London"
LANGUAGE_CODE = "en-gb"
WAGTAIL_CONTENT_LANGUAGES = [
    ("en-gb", "English"),
    ("cy", "Welsh"),
    ("fr", "French"),
]
LANGUAGES = [
    *WAGTAIL_CONTENT_LANGUAGES,
    ("de", "German"),
    ("es", "Spanish"),
    ("pl", "Polish"),
]
WAGTAIL_I18N_ENABLED = True
LOCALE_PATHS = [REPOSITORY / "locale"]

INSTALLED_APPS = [
    "wagtail_smartgift",
    "wagtail.contrib.settings",
    "wagtail.contrib.routable_page",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
if os.environ.get("SMARTGIFT_APP_LAST"):
    # Some hooks only work from one end of the list; the suite runs from both.
    INSTALLED_APPS.append(INSTALLED_APPS.pop(0))

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "tests.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [REPOSITORY / "tests" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = "/nonexistent"

DATABASES: dict[str, dict[str, Any]]
_postgres = os.environ.get("SMARTGIFT_TEST_POSTGRES")
if _postgres:
    # A libpq service string: "host=… port=… user=… password=… dbname=…".
    _parts = dict(part.split("=", 1) for part in _postgres.split())
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _parts.get("dbname", "smartgift"),
            "USER": _parts.get("user", ""),
            "PASSWORD": _parts.get("password", ""),
            "HOST": _parts.get("host", ""),
            "PORT": _parts.get("port", ""),
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
            # A path: threads that race need a file, since they share no memory.
            "TEST": {"NAME": os.environ.get("SMARTGIFT_TEST_SQLITE") or None},
        }
    }

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Each test's first image has the same id: what another test made of its own would
    # be taken for this one's.
    "renditions": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}
# Django 6.1 has its mail servers in one setting, and warns of the ones before.
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WAGTAIL_SITE_NAME = "Tests"
WAGTAILADMIN_BASE_URL = "http://testserver"
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}

WAGTAIL_SMARTGIFT = {
    "ACCOUNTS": {
        "default": {
            "API_KEY": "sk_sandbox",
            # Nothing listens here: a test that calls Smart Gift uses the sandbox
            # fixture, which puts its own address in this place.
            "BASE_URL": "http://127.0.0.1:9",
            "SITE_ID": "1",
        }
    },
    "ENCRYPTION_KEYS": ["only for tests, but long enough to be a key"],
    "SERVER_KEYS": ["server-key-for-tests"],
    "DELIVERY_METHODS": [
        {"id": 1, "name": "E-mail", "price": "0.00", "posted": False},
        {"id": 2, "name": "First class post", "price": "3.95", "posted": True},
    ],
}

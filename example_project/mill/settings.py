"""The settings of the example shop.

What the plugin needs from a host is marked with "wagtail-smartgift:"; the rest is
an ordinary Wagtail site. The environment is read by ``env.py``.
"""

import hashlib
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

from mill import env, local_smartgift


BASE_DIR = Path(__file__).resolve().parent.parent
#: Everything that the shop writes: database, uploads, the local server's state.
VAR_DIR = local_smartgift.VAR_DIR
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.flag("DJANGO_DEBUG", default=True)
PORT = env.number("PORT", int) or 8000
ALLOWED_HOSTS = env.words("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
SECRET_KEY = env.text("DJANGO_SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("Set DJANGO_SECRET_KEY, or DJANGO_DEBUG=1.")
    SECRET_KEY = "the old mill is an example, not a secret"

INSTALLED_APPS = [
    "mill.home",
    "mill.shop",
    # wagtail-smartgift: the plugin and the two Wagtail apps that it builds on.
    "wagtail_smartgift",
    "wagtail.contrib.settings",
    "wagtail.contrib.routable_page",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    # Serves the scripts of the API's documentation page from here.
    "ninja",
    "taggit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # wagtail-smartgift: its texts are in the language of the browser or the footer.
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mill.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "mill" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mill.context.furniture",
            ]
        },
    }
]

DATABASES = {"default": env.database("DATABASE_URL", default=VAR_DIR / "mill.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Counters against guessing live in the cache, so all processes must share it.
if _redis := env.text("REDIS_URL"):
    _cache = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _redis,
    }
else:
    _cache = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "cache",
    }
CACHES = {
    "default": {
        **_cache,
        # Two shops on one machine do not count each other's customers.
        "KEY_PREFIX": hashlib.sha256(repr(DATABASES).encode()).hexdigest()[:12],
    }
}

LANGUAGE_CODE = "en-gb"
# The pages of this shop are English; the plugin speaks all of these.
LANGUAGES = [
    ("en-gb", "English"),
    ("cy", "Cymraeg"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("pl", "Polski"),
]
LANGUAGE_COOKIE_NAME = "mill_language"
TIME_ZONE = "Europe/London"
USE_TZ = True
LOCALE_PATHS = [BASE_DIR.parent / "locale"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "mill" / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "orders"
LOGOUT_REDIRECT_URL = "/"
# Cookies know no ports: another project on localhost would log us out.
SESSION_COOKIE_NAME = "mill_session"
CSRF_COOKIE_NAME = "mill_csrf"
CSRF_COOKIE_HTTPONLY = True
# Mails are files here. Not lines of a log: those with vouchers have numbers in them.
# A server's timeout (seconds) is to be far below WORKING_TIME of mill.shop.models, after
# which whoever is mailing vouchers is taken for dead: one that says nothing must not
# make two mails.
_FILES = "django.core.mail.backends.filebased.EmailBackend"
_MAILS = VAR_DIR / "mail"
if django.VERSION >= (6, 1):
    # The timeout would be one of the OPTIONS.
    MAILERS = {"default": {"BACKEND": _FILES, "OPTIONS": {"file_path": _MAILS}}}
else:
    EMAIL_BACKEND = _FILES
    EMAIL_FILE_PATH = _MAILS
    EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = "The Old Mill <post@old-mill.example>"

WAGTAIL_SITE_NAME = "The Old Mill"
WAGTAILADMIN_BASE_URL = f"http://localhost:{PORT}"
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAILSEARCH_BACKENDS = {
    "default": {"BACKEND": "wagtail.search.backends.database"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "mill": {"handlers": ["console"], "level": "INFO"},
        # With DEBUG off Django would only mail its errors, and to nobody.
        "django.request": {"handlers": ["console"], "level": "ERROR"},
        "wagtail_smartgift": {"handlers": ["console"], "level": "INFO"},
    },
}

# wagtail-smartgift: everything below, and its URLs in urls.py.
SANDBOX_URL = "http://{}:{}".format(*local_smartgift.ADDRESS)

_base_url = env.text("SMARTGIFT_BASE_URL")
#: Whether the local Smart Gift server that comes with the plugin is used.
USES_SANDBOX = not _base_url
_api_key = env.text(
    "SMARTGIFT_API_KEY", local_smartgift.SANDBOX_KEY if USES_SANDBOX else ""
)
if not _api_key:
    raise ImproperlyConfigured(
        "SMARTGIFT_BASE_URL is set, so set SMARTGIFT_API_KEY to a key for it. "
        "Without SMARTGIFT_BASE_URL the local sandbox is used."
    )
_encryption_keys = env.words("SMARTGIFT_ENCRYPTION_KEYS")
if not _encryption_keys and not DEBUG:
    raise ImproperlyConfigured(
        "Voucher numbers are money and are stored encrypted: set "
        "SMARTGIFT_ENCRYPTION_KEYS to a long random text, or DJANGO_DEBUG=1."
    )

WAGTAIL_SMARTGIFT = {
    "ACCOUNTS": {
        "default": {
            "BASE_URL": _base_url or SANDBOX_URL,
            "API_KEY": _api_key,
            "SITE_ID": env.text("SMARTGIFT_SITE_ID", "1"),
        }
    },
    # Without a key or a secret those endpoints answer 401 to everybody.
    "SERVER_KEYS": env.texts("SMARTGIFT_SERVER_KEY"),
    "WEBHOOK_SECRETS": env.texts("SMARTGIFT_WEBHOOK_SECRET"),
    "ENCRYPTION_KEYS": _encryption_keys,
    # Smart Gift's API cannot be asked for these: copy them from its dashboard.
    "DELIVERY_METHODS": env.json_list(
        "SMARTGIFT_DELIVERY_METHODS",
        [
            {"id": 1, "name": "By e-mail", "price": "0.00", "posted": False},
            {"id": 2, "name": "By first class post", "price": "3.95", "posted": True},
        ],
    ),
    # "Add to basket" on a voucher's page ends up in our own basket.
    "ADD_TO_BASKET": "mill.shop.basket.add_voucher",
    # Where editors may import Smart Gift's pictures from; here its own server.
    "IMAGE_HOSTS": [env.host_of(_base_url or SANDBOX_URL)],
    # What an experience voucher pays for here.
    "EXPERIENCE_VALUE": "mill.shop.experiences.value_of",
    # What the environment leaves out keeps the plugin's own default.
    **{
        name: value
        for name, value in {
            "PAYMENT_METHOD": env.number("SMARTGIFT_PAYMENT_METHOD", int),
            "RATE_LIMIT": env.number("SMARTGIFT_RATE_LIMIT", int),
            "TIMEOUT": env.number("SMARTGIFT_TIMEOUT", float),
            "SETTLE": env.number("SMARTGIFT_SETTLE", float),
            "LATE": env.number("SMARTGIFT_LATE", float),
        }.items()
        if value is not None
    },
}

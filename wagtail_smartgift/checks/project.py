"""Checks of the project that the plugin is installed in."""

from collections.abc import Iterable

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from wagtail_smartgift.checks.messages import APP, error, warning


@register(APP)
def check_project(**_kwargs: object) -> list[CheckMessage]:
    """Report what the plugin needs of the project it is installed in."""
    found: list[CheckMessage] = []
    if "wagtail.contrib.settings" not in django_settings.INSTALLED_APPS:
        found.append(
            error(
                "E006",
                "wagtail.contrib.settings is not installed, and without it every page "
                "of the Wagtail admin fails.",
                'Add "wagtail.contrib.settings" to INSTALLED_APPS.',
            )
        )
    if "wagtail.contrib.routable_page" not in django_settings.INSTALLED_APPS:
        found.append(
            warning(
                "W005",
                "wagtail.contrib.routable_page is not installed; templates that link to "
                "a voucher's own address with {% routablepageurl %} fail.",
                'Add "wagtail.contrib.routable_page" to INSTALLED_APPS.',
            )
        )
    if not django_settings.USE_TZ:
        found.append(
            error(
                "E015",
                "USE_TZ is off, and the end of a hold is a moment in time.",
                "Set USE_TZ = True.",
            )
        )
    for alias, database in django_settings.DATABASES.items():
        if database.get("ATOMIC_REQUESTS"):
            found.append(
                warning(
                    "W007",
                    f"DATABASES[{alias!r}] has ATOMIC_REQUESTS: a view of yours that "
                    "moves money fails, because no transaction may be open while Smart "
                    "Gift is called.",
                    "Decorate such views with "
                    "django.db.transaction.non_atomic_requests, then silence this.",
                )
            )
    return found


@register(Tags.urls)
def check_urls(**_kwargs: object) -> list[CheckMessage]:
    """Report that the plugin's addresses are not mounted."""
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    if _mounts_us(get_resolver().url_patterns):
        return []
    return [
        warning(
            "W001",
            "The addresses of wagtail_smartgift are not in your URL configuration: its "
            "pages, checkout steps and API cannot be reached.",
            'Add path("smartgift/", include("wagtail_smartgift.urls")) before Wagtail\'s '
            "own.",
        )
    ]


def _mounts_us(patterns: Iterable[URLPattern | URLResolver]) -> bool:
    return any(
        isinstance(pattern, URLResolver)
        and (pattern.app_name == APP or _mounts_us(pattern.url_patterns))
        for pattern in patterns
    )

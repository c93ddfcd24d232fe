"""What every page of the shop shows: the menu and how full the basket is."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from wagtail.models import Page, Site

from mill.shop.basket import Basket


def furniture(request: HttpRequest) -> dict[str, Any]:
    """Return the header's and footer's context; queries run only where it is used."""
    return {
        "menu": SimpleLazyObject(lambda: _menu(request)),
        "basket": SimpleLazyObject(lambda: Basket(request.session)),
        "languages": settings.LANGUAGES,
        "sandbox_url": settings.SANDBOX_URL if settings.USES_SANDBOX else "",
    }


def _menu(request: HttpRequest) -> list[Page]:
    site = Site.find_for_request(request)
    if site is None:
        return []
    return list(site.root_page.get_children().live().in_menu())

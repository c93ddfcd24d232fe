"""Which Wagtail site a call is about."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift import selectors
from wagtail_smartgift.exceptions import PaymentError


def site_for(request: HttpRequest, hostname: str | None) -> Site | None:
    """Return the named site, else that of the request's host, else the default.

    Raises:
        PaymentError: ``invalid``, when there is no site of that name.
    """
    if not hostname:
        return Site.find_for_request(request)
    site = selectors.site_named(hostname)
    if site is None:
        raise PaymentError(
            "invalid", fields={"site": _("There is no site of this name.")}
        )
    return site

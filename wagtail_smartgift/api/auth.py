"""Who may call: a browser with its session's secret, a server with a key.

Both are bearer tokens. Neither is a cookie, so there is no CSRF to defend against.
"""

import hmac

from django.http import HttpRequest
from ninja.security import HttpBearer

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.services.opening import session_for_secret


class SessionSecretAuth(HttpBearer):
    """``Authorization: Bearer <client_secret>``: opens that one session."""

    openapi_name = "sessionSecret"

    def authenticate(self, request: HttpRequest, token: str) -> PaymentSession:
        return session_for_secret(token)


class ServerKeyAuth(HttpBearer):
    """``Authorization: Bearer <one of SERVER_KEYS>``: the shop's own server."""

    openapi_name = "serverKey"

    def authenticate(self, request: HttpRequest, token: str) -> str:
        # All are compared, in constant time each, so that time tells nothing.
        matches = [
            hmac.compare_digest(token.encode(), key.encode())
            for key in get_conf().server_keys
        ]
        if not any(matches):
            raise PaymentError("unauthenticated")
        return "server"

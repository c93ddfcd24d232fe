"""Who may call: a browser with its session's secret, a server with a key.

Both are bearer tokens. Neither is a cookie, so there is no CSRF to defend against.
Where Wagtail has API tokens (from 8.0), that of a user with the permission
``use_server_api`` opens what a server key does.
"""

import hmac
from importlib import import_module
from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer

from wagtail_smartgift.api.errors import BEARER
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.redaction import Secret, SecretBytes, hidden
from wagtail_smartgift.services.opening import session_for_secret


PERMISSION = "wagtail_smartgift.use_server_api"


class _Bearer(HttpBearer):
    """Reads ``Authorization``, and never writes what is in it to a log.

    Ninja's own does, of a scheme that it did not expect, where DEBUG is on.
    """

    challenge = BEARER

    def __call__(self, request: HttpRequest) -> Any:
        token = token_of(request)
        return None if token is None else self.authenticate(request, token)


def token_of(request: HttpRequest) -> Secret | None:
    """Return the bearer token of a request; None if it has none."""
    scheme, _space, token = hidden(
        request.headers.get("Authorization", "").partition(" ")
    )
    return Secret(token.strip()) if scheme.lower() == "bearer" else None


class SessionSecretAuth(_Bearer):
    """``Authorization: Bearer <client_secret>``: opens that one session."""

    openapi_description = (
        "The `client_secret` of a payment session. Opens that payment alone."
    )

    def authenticate(self, request: HttpRequest, token: str) -> PaymentSession:
        return session_for_secret(token)


class ServerKeyAuth(_Bearer):
    """``Authorization: Bearer <one of SERVER_KEYS>``: the shop's own server."""

    openapi_description = (
        "One of `SERVER_KEYS`; from Wagtail 8 on also an API token of a user with the "
        "permission `use_server_api`. For the shop's own server only."
    )

    def authenticate(self, request: HttpRequest, token: str) -> str:
        if not (_is_server_key(token) or _is_token_of_permitted_user(request, token)):
            raise PaymentError("unauthenticated")
        # For the words of a refusal: see ``errors``.
        request.smartgift_for_server = True  # type: ignore[attr-defined]
        return "server"


def is_server(request: HttpRequest) -> bool:
    """Tell whether the server calls, where anybody may."""
    try:
        return bool(ServerKeyAuth()(request))
    except PaymentError:
        return False


def _is_server_key(token: str) -> bool:
    # All are compared, in constant time each, so that time tells nothing.
    sent = SecretBytes(token.encode())
    matches = [
        hmac.compare_digest(sent, key.encode()) for key in get_conf().server_keys
    ]
    return any(matches)


def _wagtails_tokens() -> Any:
    """Return Wagtail's own resolver of tokens; None before Wagtail 8."""
    try:
        return import_module("wagtail.api.v3.auth").BearerTokenAuth()
    except ImportError:
        return None


_TOKENS = _wagtails_tokens()


def _is_token_of_permitted_user(request: HttpRequest, token: str) -> bool:
    if _TOKENS is None or _TOKENS.authenticate(request, token) is None:
        return False
    # It has put the token's user into the request; one that is inactive is nobody.
    return bool(request.user.has_perm(PERMISSION))

"""Who signed a message: the shop, with one of ``WEBHOOK_SECRETS``, or nobody we know.

By the Standard Webhooks specification: an HMAC over the id, the time and the bytes of
the body. Its own library signs text alone and raises errors of its own on what does not
look right, so it is not asked here; the tests sign with it. What was signed and is no
text is the shop's mistake, and not a stranger's: it gets past here and is malformed.

Whoever may not know what is wrong with a message is told as little as possible: which
secret, and which of several signatures, did not match stays here.
"""

import base64
import hashlib
import hmac
import logging
import re
import time

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from ninja.security import APIKeyHeader

from wagtail_smartgift.conf import get_conf, is_webhook_secret
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.redaction import SecretBytes
from wagtail_smartgift.services.answers import KEY


logger = logging.getLogger(__name__)

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
#: Seconds that a message may be old, or its sender's clock ahead.
TOLERANCE = 300
#: Bytes of a body; an order of hundreds of vouchers has a tenth of it.
LARGEST_BODY = 1024 * 1024

_SECONDS = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
#: An HMAC-SHA256 in base64; other versions than ``v1`` are not known here.
_V1 = re.compile(r"v1,[A-Za-z0-9+/]{43}=", re.ASCII)


class ShopSignature(APIKeyHeader):
    """A signature over ``webhook-id``, ``webhook-timestamp`` and the body as sent.

    Checked in this order: is there a secret at all (401), are the headers there (400),
    is the time one and now (400), can the body be read (400), does a signature match
    (401), is the id one (400).
    """

    param_name = SIGNATURE
    #: What a 401 asks for. The specification names no scheme of HTTP authentication,
    #: and HTTP wants one with every 401.
    challenge = "Standard-Webhooks"

    def __call__(self, request: HttpRequest) -> str | None:
        request.smartgift_challenge = self.challenge  # type: ignore[attr-defined]
        request.smartgift_for_server = True  # type: ignore[attr-defined]
        signed: str | None = super().__call__(request)
        return signed

    def authenticate(self, request: HttpRequest, key: str | None) -> str:
        secrets = _secrets()
        if not secrets:
            raise PaymentError("unauthenticated")
        _require_headers(request)
        _check_time(request.headers[TIMESTAMP])
        body = read_body(request)
        if not _is_signed(request, body, secrets):
            raise PaymentError("unauthenticated")
        return _id(request)


def read_body(request: HttpRequest) -> bytes:
    """Return the bytes that were signed.

    Raises:
        PaymentError: ``malformed``: there are too many, or not all that were announced.
    """
    too_large = PaymentError("malformed", _("The message is too large."))
    announced = request.META.get("CONTENT_LENGTH") or ""
    if len(announced) > 15 or (announced.isdecimal() and int(announced) > LARGEST_BODY):
        raise too_large
    try:
        body = SecretBytes(request.body)
    except RequestDataTooBig:
        raise too_large from None
    except UnreadablePostError:
        raise PaymentError("malformed") from None
    if len(body) > LARGEST_BODY:
        raise too_large
    return body


def _secrets() -> list[str]:
    """Return the secrets that are some; a check names the others."""
    configured = get_conf().webhook_secrets
    usable = [secret for secret in configured if is_webhook_secret(secret)]
    if len(usable) < len(configured):
        logger.error("A secret in WEBHOOK_SECRETS cannot be used; see check E007.")
    return usable


def _require_headers(request: HttpRequest) -> None:
    missing = [
        name
        for name in (ID, TIMESTAMP, SIGNATURE)
        if not request.headers.get(name, "").strip()
    ]
    if missing:
        raise PaymentError(
            "malformed",
            _("A header of the signature is missing."),
            fields={name: _("This header is required.") for name in missing},
        )


def _check_time(text: str) -> None:
    seconds = int(text) if _SECONDS.fullmatch(text) else 0
    if abs(time.time() - seconds) > TOLERANCE:
        raise PaymentError(
            "malformed",
            _("The message was not signed in the last five minutes."),
            fields={TIMESTAMP: _("Use the present time in whole seconds since 1970.")},
        )


def _is_signed(request: HttpRequest, body: bytes, secrets: list[str]) -> bool:
    given = list(filter(_V1.fullmatch, request.headers[SIGNATURE].split()))
    head = f"{request.headers[ID]}.{request.headers[TIMESTAMP]}."
    signed = SecretBytes(head.encode() + body)
    # All are tried, so that time does not tell which one it was.
    matches = [
        hmac.compare_digest(_signature(secret, signed), one)
        for secret in secrets
        for one in given
    ]
    return any(matches)


def _signature(secret: str, signed: bytes) -> str:
    """Sign with a secret that ``is_webhook_secret``."""
    key = SecretBytes(base64.b64decode(secret.partition("_")[2], validate=True))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _id(request: HttpRequest) -> str:
    """Return the id, which is also the message's idempotency key."""
    given = request.headers[ID]
    if not KEY.fullmatch(given):
        raise PaymentError(
            "malformed",
            fields={ID: _("Use 1 to 64 printable ASCII characters.")},
        )
    return given

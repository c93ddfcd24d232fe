"""Making Smart Gift's pictures images of this site: once each, and with their credit.

A picture's address is whatever somebody typed at Smart Gift. It is fetched from the
hosts of ``IMAGE_HOSTS`` alone and through ``fetch``, which calls no private address
(one that ``IMAGE_HOSTS`` itself names excepted) and follows no redirect; and it becomes
an image only through the form that an upload goes through, with its limits.
"""

import io
import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from PIL import Image as Pillow
from wagtail.images import get_image_model
from wagtail.images.forms import get_image_form
from wagtail.log_actions import log

from wagtail_smartgift import fetch
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import ImportedPicture, VoucherProduct


logger = logging.getLogger(__name__)

IMPORT_ACTION = "wagtail_smartgift.import_picture"
#: Seconds for the whole of it: an editor waits.
PATIENCE = 15.0
#: Where Wagtail has no limit of uploads, or a higher one.
MOST_BYTES = 20 * 1024 * 1024
#: More than any page shows. The form unpacks a picture before it counts its pixels.
MOST_PIXELS = 50_000_000
CREDIT = "Smart Gift"
TAG = "Smart Gift"
#: What a host's own image model may call the field that a credit belongs in.
CREDIT_FIELDS = ("credit", "attribution", "copyright", "source")

#: What a server may say that a picture is. Stores of files often do not know.
_TYPES = (
    *("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"),
    *("application/octet-stream", "binary/octet-stream"),
)
#: How a picture begins, and the ending that such a file has. No SVG: it is a program.
_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "jpg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF8", "gif"),
    (8, b"WEBP", "webp"),
    (4, b"ftypavif", "avif"),
)
_REASONS: Mapping[str, str | Promise] = {
    "name": _("The picture's address has no server (any more)."),
    "address": _(
        "The picture's address leads to where this site must not fetch anything: it "
        "needs https and a public server."
    ),
    "tls": _("There is no secure connection to the picture's server."),
    "timeout": _("The picture's server took too long. Try again later."),
    "connection": _("The picture's server cannot be reached. Try again later."),
    "status": _("The picture is not at its address (any more)."),
    "redirect": _(
        "The picture has moved to another address, which is not followed. Choose it "
        "anew at Smart Gift."
    ),
    "type": _(
        "What is at the picture's address is no picture of a kind that is taken."
    ),
    "size": _("The picture is too large."),
    "broken": _("The picture is broken, or it did not come whole. Try again later."),
}


class PictureError(Exception):
    """There is no image. ``str()`` is for the editor: why, and what can be done."""


@dataclass(frozen=True)
class Imported:
    """The image that a picture is, now or since before."""

    image: Any
    created: bool


def permission_policy() -> Any:
    """Return who may do what with images."""
    try:
        from wagtail.permissions import policy_registry
    except ImportError:  # Wagtail 7.4
        from wagtail.images import permissions

        return permissions.permission_policy
    return policy_registry.get_by_type(get_image_model())


def may_import(user: Any) -> bool:
    """Tell whether there is a collection that ``user`` may add images to."""
    return bool(permission_policy().user_has_permission(user, "add"))


def trouble_with(product: VoucherProduct) -> str | None:
    """Say why a product's picture cannot be imported here; None: nothing is against it.

    Nothing is fetched, so it may still fail.
    """
    if not product.image_url:
        return str(_("Smart Gift has no picture for this voucher."))
    host = fetch.host_of(product.image_url)
    if host not in _allowed_hosts():
        return str(
            _(
                "Pictures from %(host)s are not imported here. Your developers can "
                "allow it with the setting IMAGE_HOSTS."
            )
        ) % {"host": host}
    return None


def imported(product: VoucherProduct) -> ImportedPicture | None:
    """Return what a product's picture of today has become, if it has."""
    if not product.image_url:
        return None
    return (
        ImportedPicture.objects.filter(product=product, source_url=product.image_url)
        .select_related("image")
        .first()
    )


def import_picture(*, product: VoucherProduct, user: Any) -> Imported:
    """Fetch a product's picture and make it an image, unless that has been done.

    It goes to the first collection that ``user`` may add to, and belongs to them.

    Raises:
        PictureError: nothing was imported, and why.
    """
    url = product.image_url
    known = imported(product)
    if known is not None:
        return Imported(image=_theirs(known, user), created=False)
    if not may_import(user):
        raise PictureError(_("You may not add images."))
    trouble = trouble_with(product)
    if trouble:
        raise PictureError(trouble)
    content = _fetch(url)
    form = _form(product, content, user)
    # Durable: no transaction of anybody's was open while the picture was fetched.
    try:
        with transaction.atomic(durable=True):
            image = form.save()
            ImportedPicture.objects.create(
                product=product, image=image, source_url=url, imported_at=timezone.now()
            )
            log(instance=image, action="wagtail.create", user=user)
            log(
                instance=product,
                action=IMPORT_ACTION,
                user=user,
                data={
                    "image": image.pk,
                    "title": image.title,
                    "source": fetch.public_part(url),
                },
            )
    except IntegrityError:
        # Somebody pressed the button at the same time: theirs it is.
        file = form.instance.file
        file.storage.delete(file.name)
        known = imported(product)
        if known is None:
            raise
        return Imported(image=_theirs(known, user), created=False)
    logger.info("The picture of product %s was imported.", product.remote_id)
    return Imported(image=image, created=True)


def _theirs(known: ImportedPicture, user: Any) -> Any:
    if not permission_policy().user_has_permission_for_instance(
        user, "choose", known.image
    ):
        raise PictureError(
            _("This picture is among the images already, where you may not choose it.")
        )
    return known.image


def _allowed_hosts() -> set[str]:
    # Read as the addresses are: both write a host with foreign letters the same way.
    return {
        fetch.host_of(f"https://[{host}]" if ":" in host else f"https://{host}")
        for host in (one.strip("[]") for one in get_conf().image_hosts)
    } - {""}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _fetch(url: str) -> bytes:
    limit = _form_limit()
    try:
        found = fetch.download(
            url,
            types=_TYPES,
            most_bytes=limit,
            seconds=PATIENCE,
            # A name may come to mean another machine; an address in our own settings
            # is one that somebody here vouches for.
            allow_private=_is_address(fetch.host_of(url)),
        )
    except (fetch.FetchError, fetch.NotWanted) as error:
        raise PictureError(_REASONS[error.reason]) from None
    return found.content


def _form_limit() -> int:
    """Return how many bytes an upload may have."""
    field = get_image_form(get_image_model()).base_fields["file"]
    allowed: int | None = getattr(field, "max_upload_size", None)
    return min(allowed or MOST_BYTES, MOST_BYTES)


def _form(product: VoucherProduct, content: bytes, user: Any) -> Any:
    """Return the form of an upload, filled in and valid.

    Raises:
        PictureError: it is not.
    """
    ending = next(
        (
            ending
            for start, beginning, ending in _BEGINNINGS
            if content[start : start + len(beginning)] == beginning
        ),
        None,
    )
    if ending is None:
        raise PictureError(_REASONS["type"])
    model = get_image_model()
    made: Any = get_image_form(model)
    data = QueryDict(mutable=True)
    data["title"] = f"{product.title[:200]} ({CREDIT})"
    data["description"] = product.title[:255]
    # Quoted, since a space parts two tags.
    data["tags"] = f'"{TAG}"'
    for name in CREDIT_FIELDS:
        if name in made.base_fields:
            credit = f"{CREDIT}, {fetch.public_part(product.image_url)}"
            longest = getattr(made.base_fields[name], "max_length", None)
            data[name] = credit[:longest]
            break
    collections = permission_policy().collections_user_has_permission_for(user, "add")
    first = collections.order_by("path").first()
    data["collection"] = str(first.pk) if first is not None else ""
    name = slugify(product.title)[:60] or f"voucher-{product.remote_id}"
    files = MultiValueDict({"file": [SimpleUploadedFile(f"{name}.{ending}", content)]})
    form = made(data, files, instance=model(uploaded_by_user=user), user=user)
    _refuse_bomb(content)
    try:
        valid = form.is_valid()
    except (OSError, SyntaxError, ValueError, struct.error):
        # What is wrong in the middle of a file comes out of the form as it is.
        raise PictureError(_REASONS["broken"]) from None
    if not valid:
        raise PictureError(_in_words(form))
    return form


def _refuse_bomb(content: bytes) -> None:
    """Refuse a picture of more pixels than fit, by the head of the file alone."""
    try:
        with Pillow.open(io.BytesIO(content)) as picture:
            width, height = picture.size
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise PictureError(_REASONS["size"]) from None
    except Exception:  # noqa: BLE001 - whatever a broken file makes of it
        raise PictureError(_REASONS["broken"]) from None
    if width * height > MOST_PIXELS:
        raise PictureError(_REASONS["size"])


def _in_words(form: Any) -> str:
    said = []
    for name, errors in form.errors.items():
        label = form.fields[name].label if name in form.fields else ""
        for error in errors:
            said.append(f"{label}: {error}" if label and name != "file" else str(error))
    return " ".join(said)

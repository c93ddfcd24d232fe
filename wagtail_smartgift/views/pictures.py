"""Where a picture is made that a page shows and that is not there yet.

As Wagtail's own view, it makes nothing but what a page of this site has signed, and
leads to the file. It differs in that visitors who ask for the same at once have it made
by one of them, that a process makes few at once, and that a broken original is no error
of the site.
"""

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.cache import add_never_cache_headers, patch_cache_control
from django.views.decorators.http import require_safe
from wagtail.images import get_image_model
from wagtail.images.utils import verify_signature

from wagtail_smartgift.renditions import BROKEN
from wagtail_smartgift.services import renditions


#: Seconds that a browser may know where the file is. No cache that many share: a host's
#: middleware may have put a visitor's cookie beside it.
KEPT = 60
#: Seconds after which one that had to wait too long is worth asking for again.
RETRY_AFTER = 5


# What is made has to be seen by those who wait for it.
@non_atomic_requests
@login_not_required
@require_safe
def make_picture(
    request: HttpRequest, signature: str, image_id: int, filter_spec: str
) -> HttpResponse:
    """Lead to the file, made now if need be; 410: it cannot be; 503: not at the moment."""
    if not verify_signature(signature.encode(), image_id, filter_spec):
        raise PermissionDenied
    image = get_object_or_404(get_image_model(), pk=image_id)
    response: HttpResponse
    try:
        response = redirect(renditions.make_rendition(image, filter_spec).url)
    except renditions.PictureBusyError:
        response = HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER)})
        add_never_cache_headers(response)
        return response
    except BROKEN:
        response = HttpResponse(status=410)
    patch_cache_control(response, max_age=KEPT, private=True)
    return response

"""The button that makes Smart Gift's picture an image of this site.

In the editor of a page a script presses it, and puts the image where an editor would
have chosen it. Elsewhere it is a form, which may name a page: the image is then put
into that page's draft.
"""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from wagtail.images.widgets import AdminImageChooser

from wagtail_smartgift.models import VoucherProduct
from wagtail_smartgift.models.pages import voucher_page_models
from wagtail_smartgift.services import pictures, voucher_pages
from wagtail_smartgift.services.pictures import PictureError


# Not atomic: no transaction may be open while the picture is fetched.
@transaction.non_atomic_requests
@require_POST
def import_picture(request: HttpRequest, product_pk: int) -> HttpResponse:
    """Import the picture, and use it on the page that is named, if one is."""
    if not pictures.may_import(request.user):
        raise PermissionDenied
    product = get_object_or_404(VoucherProduct, pk=product_pk)
    page = _page(request, product)
    try:
        found = pictures.import_picture(product=product, user=request.user)
    except PictureError as error:
        return _answer(request, str(error), failed=True)
    if page is not None:
        try:
            voucher_pages.set_picture(page, image=found.image, user=request.user)
        except (ValidationError, ValueError):
            return _answer(
                request,
                _(
                    "The picture is among the images now, but the page's draft could "
                    "not be saved. Open the page and choose it there."
                ),
                failed=True,
            )
        return _answer(request, _("The picture is in the page's draft now."))
    said = (
        _("The picture was imported.")
        if found.created
        else _("The picture had been imported before.")
    )
    if _is_script(request):
        said = " ".join(
            [said, _("It is chosen for this page now: save or publish the page.")]
        )
    return _answer(request, said, image=found.image)


def _page(request: HttpRequest, product: VoucherProduct) -> Any:
    """Return the page that the form names, if the user may change its draft."""
    number = request.POST.get("page", "")
    if not number:
        return None
    for model in voucher_page_models():
        page: Any = (
            model.objects.filter(pk=number, product=product).first()
            if number.isdecimal() and len(number) < 19
            else None
        )
        if page is not None:
            tester = page.permissions_for_user(request.user)
            if not tester.can_edit() or tester.page_locked():
                raise PermissionDenied
            return page
    raise PermissionDenied


def _is_script(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _answer(
    request: HttpRequest, text: str, *, failed: bool = False, image: Any = None
) -> HttpResponse:
    """Tell it to the script that asked, or on the page that the form stood on."""
    if _is_script(request):
        chosen = (
            AdminImageChooser().get_value_data(image) if image is not None else None
        )
        return JsonResponse(
            {"message": text, "image": chosen}, status=422 if failed else 200
        )
    tell = messages.error if failed else messages.success
    tell(request, text)
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return redirect("wagtailadmin_home")
    return redirect(target)

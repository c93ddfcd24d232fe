"""Drafts of voucher pages: making one for a product, and giving it a picture."""

from typing import Any

from django.db import transaction
from django.utils.text import slugify
from wagtail.log_actions import log

from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct


def page_model_under(parent: Any) -> type[AbstractVoucherPage] | None:
    """Return the kind of voucher page that may stand under ``parent``, if any."""
    for model in type(parent).allowed_subpage_models():
        if issubclass(model, AbstractVoucherPage) and model.can_create_at(parent):
            found: type[AbstractVoucherPage] = model
            return found
    return None


def create_draft(
    product: VoucherProduct, *, parent: Any, user: Any
) -> AbstractVoucherPage:
    """Put an unpublished page about ``product`` under ``parent``.

    Whether ``user`` may do that is for the caller to ask.

    Raises:
        ValidationError: the page model of this host needs more than a title.
        ValueError: no voucher page may stand there.
    """
    model: Any = page_model_under(parent)
    if model is None:
        raise ValueError("No voucher page may stand under this page.")
    # Wagtail makes a slug of the title, unless nothing of it is left.
    slug = {} if slugify(product.title) else {"slug": f"voucher-{product.remote_id}"}
    page: AbstractVoucherPage = model(
        title=product.title,
        product=product,
        live=False,
        has_unpublished_changes=True,
        owner=user,
        locale=parent.locale,
        **slug,
    )
    with transaction.atomic():
        parent.add_child(instance=page)
        page.save_revision(user=user, log_action=False)
        log(instance=page, action="wagtail.create", user=user, content_changed=True)
    return page


def set_picture(page: AbstractVoucherPage, *, image: Any, user: Any) -> None:
    """Make ``image`` the picture of the page's draft; what is published stays.

    Whether ``user`` may edit the page is for the caller to ask.

    Raises:
        ValidationError: the draft cannot be saved as it is.
        ValueError: the page is an alias, which is its original's copy.
    """
    current: Any = page
    if current.alias_of_id:
        raise ValueError("An alias has no draft.")
    draft = current.get_latest_revision_as_object()
    draft.image = image
    with transaction.atomic():
        draft.save_revision(user=user, log_action=True)

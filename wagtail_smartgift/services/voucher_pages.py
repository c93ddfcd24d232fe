"""Drafts of voucher pages: making one for a product, and giving it a picture."""

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.text import slugify
from wagtail.log_actions import log

from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.models.pages import voucher_page_models


def page_model_under(parent: Any) -> type[AbstractVoucherPage] | None:
    """Return the kind of voucher page that may stand under ``parent``, if any."""
    for model in type(parent).allowed_subpage_models():
        if issubclass(model, AbstractVoucherPage) and model.can_create_at(parent):
            found: type[AbstractVoucherPage] = model
            return found
    return None


class HasPage(Exception):
    """There is a page about this product already: ``page``."""

    def __init__(self, page: Any) -> None:
        self.page = page
        super().__init__(f"Page {page.pk} is about it.")


def page_under(parent: Any, product: VoucherProduct) -> AbstractVoucherPage | None:
    """Return the page about a product somewhere below ``parent``, if there is one."""
    for model in voucher_page_models():
        found: AbstractVoucherPage | None = (
            model.objects.descendant_of(parent).filter(product=product).first()
        )
        if found is not None:
            return found
    return None


def create_draft(
    product: VoucherProduct, *, parent: Any, user: Any
) -> AbstractVoucherPage:
    """Put an unpublished page about ``product`` under ``parent``, once.

    Whether ``user`` may do that is for the caller to ask.

    Raises:
        HasPage: somebody else, or a second click, has made one.
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
        _lock(parent)
        existing = page_under(parent, product)
        if existing is not None:
            raise HasPage(existing)
        parent.add_child(instance=page)
        page.save_revision(user=user, log_action=False)
        log(instance=page, action="wagtail.create", user=user, content_changed=True)
    return page


def _lock(parent: Any) -> None:
    """Let nobody else put a page there until the transaction ends.

    By an UPDATE that changes nothing: SQLite has no other lock, and turns away whoever
    reads first and writes then.
    """
    tree: Any = parent._meta.get_field("numchild").model
    tree._base_manager.filter(pk=parent.pk).update(numchild=F("numchild"))
    # It may have got a child meanwhile.
    parent.refresh_from_db(fields=["path", "depth", "numchild"])


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

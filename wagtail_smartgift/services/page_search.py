"""Keeping Wagtail's search at what Smart Gift calls its products.

A voucher page is found by its product's words, and the sync saves no page. So it has
the pages of those products indexed anew whose words have changed, and no others.
"""

import logging
from collections.abc import Collection

from wagtail.search.backends import get_search_backends

from wagtail_smartgift.models.pages import voucher_page_models


logger = logging.getLogger(__name__)


def reindex(product_pks: Collection[int]) -> None:
    """Index the pages of these products anew, in every search that keeps itself up.

    Call it after the change is committed: a search may be another server. One that
    fails is logged and left to ``update_index``; it must not stop the catalogue.
    """
    if not product_pks:
        return
    for model in voucher_page_models():
        pages = list(model.get_indexed_objects().filter(product__in=product_pks))
        if not pages:
            continue
        for backend in get_search_backends(with_auto_update=True):
            try:
                backend.add_bulk(model, pages)
            except Exception:  # whatever a search's server makes of it
                logger.exception("Voucher pages were not indexed anew.")

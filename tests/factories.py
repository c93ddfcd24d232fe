"""Small makers of the rows that many tests need."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone
from wagtail.coreutils import get_supported_content_language_variant
from wagtail.models import Collection, Locale, Page, Site

from wagtail_smartgift.models import VoucherIndexPage, VoucherPage, VoucherProduct


def make_product(remote_id: int = 37, **values: Any) -> VoucherProduct:
    """Keep a monetary product that is on sale for £10 to £40 in steps of £10."""
    now = timezone.now()
    return VoucherProduct.objects.create(
        **{
            "account": "default",
            "remote_id": remote_id,
            "title": f"Voucher {remote_id}",
            "description_html": "<p>For the mill.</p>",
            "type": "monetary",
            "status": "active",
            "min_amount": Decimal("10.00"),
            "max_amount": Decimal("40.00"),
            "increment": Decimal("10.00"),
            "digest": "made by a test",
            "first_seen_at": now,
            "changed_at": now,
            **values,
        }
    )


def make_experience(remote_id: int = 39, **values: Any) -> VoucherProduct:
    """Keep an experience at £29.50 a person, for two to six."""
    return make_product(
        remote_id,
        **{
            "type": "experience",
            "min_amount": None,
            "max_amount": None,
            "increment": None,
            "price": Decimal("29.50"),
            "persons_min": 2,
            "persons_max": 6,
            **values,
        },
    )


def _install() -> Site:
    """Make what Wagtail's migrations have made, and a test with transactions took away."""
    Collection.add_root(name="Root")
    language = get_supported_content_language_variant(settings.LANGUAGE_CODE)
    locale = Locale.objects.create(language_code=language)
    root = Page.add_root(instance=Page(title="Root", slug="root", locale=locale))
    return Site.objects.create(
        hostname="localhost", root_page=root, is_default_site=True
    )


def make_site() -> Site:
    """Return the default site with a home page of its own, as after an installation."""
    site = Site.objects.filter(is_default_site=True).first() or _install()
    home = site.root_page
    if home.is_root():
        home = home.add_child(
            instance=Page(title="Home", slug="a-home", locale=Locale.get_default())
        )
        site.root_page = home
        site.save()
    return site


def make_index(site: Site, *, parent: Page | None = None, **values: Any) -> Any:
    parent = parent or site.root_page
    return parent.add_child(
        instance=VoucherIndexPage(
            **{
                "title": "Gift vouchers",
                "slug": "gift-vouchers",
                "locale": parent.locale,
                **values,
            }
        )
    )


def make_voucher_page(index: Any, product: VoucherProduct, **values: Any) -> Any:
    return index.add_child(
        instance=VoucherPage(
            **{
                "title": f"Dressed {product.remote_id}",
                "slug": f"dressed-{product.remote_id}",
                "product": product,
                "locale": index.locale,
                **values,
            }
        )
    )

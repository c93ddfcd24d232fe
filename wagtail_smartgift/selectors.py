"""Reads of the catalogue: which shop a site is, and what it sells.

No call to Smart Gift is made here, and nothing is written. What is read for a list
costs the same number of queries however long the list is.

A product is *on sale* when Smart Gift lists it as active; sold out it is still
listed. A hidden one is reachable by its address and can be bought, but no list shows
it. Whatever else is known has an address that says that it cannot be bought.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import (
    DecimalField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import LessThanOrEqual
from django.utils import translation
from wagtail.coreutils import get_supported_content_language_variant
from wagtail.models import Site

from wagtail_smartgift.choices import Availability, ProductStatus, ProductType
from wagtail_smartgift.conf import Account, DeliveryMethod, get_conf
from wagtail_smartgift.models import (
    CatalogueSync,
    SmartGiftSettings,
    VoucherProduct,
)
from wagtail_smartgift.models.catalogue import MAX_PERSONS
from wagtail_smartgift.models.settings import DEFAULT_ACCOUNT
from wagtail_smartgift.money import MAX_AMOUNT


@dataclass(frozen=True)
class Shop:
    """What a Wagtail Site is to Smart Gift: its company, its place, its ways to send."""

    account: Account
    #: Smart Gift's number of the place, sent with check and redeem.
    site_id: str
    delivery_methods: tuple[DeliveryMethod, ...]
    #: Null: the first method that Smart Gift lists.
    payment_method: int | None
    #: Kinds of experiences that can be used here, in Smart Gift's words; empty: all.
    classifications: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnWords:
    """What a site says in its own words; empty where it says what everybody does."""

    heading: str = ""
    hint: str = ""
    confirmed: str = ""
    checkout: str = ""


@dataclass(frozen=True)
class PaymentMethod:
    id: int
    name: str


# The shop


def shop_for(site: Site | None) -> Shop:
    """Return what ``site`` is to Smart Gift: its own settings over the settings file.

    Raises:
        ImproperlyConfigured: the account it names is not configured (any more).
    """
    conf = get_conf()
    own = _site_settings(site)
    alias = (own and own.account) or DEFAULT_ACCOUNT
    try:
        account = conf.account(alias)
    except ImproperlyConfigured as error:
        if own is None or not own.account:
            raise
        raise ImproperlyConfigured(
            f"The site {site} sells for an account that is not configured: {error} "
            "Choose another one under Settings > Gift vouchers, or put it back."
        ) from None
    methods = _own_delivery_methods(own) or conf.delivery_methods
    return Shop(
        account=account,
        site_id=(own and own.smartgift_site_id) or account.site_id,
        delivery_methods=methods,
        payment_method=(own and own.payment_method) or conf.payment_method,
        classifications=_classifications(own),
    )


def classifications_of(site_id: int | None) -> tuple[str, ...]:
    """Return which experiences can be used at a site; empty: all of them."""
    if site_id is None:
        return ()
    return _classifications(
        SmartGiftSettings.objects.filter(site_id=site_id)
        .only("classifications")
        .first()
    )


def words_of(site: Site | None, *, language: str | None = None) -> OwnWords:
    """Return a site's own words in a language: each of them, or the ones for all."""
    own = _site_settings(site)
    if own is None:
        return OwnWords()
    language = language or active_language() or ""
    by_language = {
        block.value["language"] or "": {
            name: str(text or "").strip()
            for name, text in block.value.items()
            if name != "language"
        }
        for block in own.words
    }
    found = {**by_language.get("", {})}
    found |= {k: text for k, text in by_language.get(language, {}).items() if text}
    return OwnWords(**found)


def site_name(site: Site | None) -> str:
    """Return what customers are told that a site is called; empty where nobody says."""
    own = site.site_name if site is not None else ""
    return str(own or getattr(settings, "WAGTAIL_SITE_NAME", ""))


def site_named(hostname: str) -> Site | None:
    """Return the site of a host name, with or without its port; None if there is none."""
    name, _colon, port = hostname.partition(":")
    found = Site.objects.filter(hostname__iexact=name).order_by("port", "pk")
    if port:
        is_port = port.isascii() and port.isdecimal() and len(port) < 6
        found = found.filter(port=int(port)) if is_port else found.none()
    return found.first()


def _site_settings(site: Site | None) -> SmartGiftSettings | None:
    """Read the row, if there is one: Wagtail's ``for_site`` would write it."""
    if site is None:
        return None
    found: SmartGiftSettings | None = SmartGiftSettings.objects.filter(
        site_id=site.pk
    ).first()
    return found


def _classifications(own: SmartGiftSettings | None) -> tuple[str, ...]:
    return tuple(own.classifications) if own is not None else ()


def _own_delivery_methods(
    own: SmartGiftSettings | None,
) -> tuple[DeliveryMethod, ...]:
    if own is None:
        return ()
    return tuple(
        DeliveryMethod(
            id=block.value["id"].strip(),
            name=block.value["name"],
            price=block.value["price"],
            posted=block.value["posted"],
        )
        for block in own.delivery_methods
    )


def payment_methods(account: Account) -> tuple[PaymentMethod, ...]:
    """Return the payment methods as last read from Smart Gift; empty if never."""
    row = CatalogueSync.objects.filter(account=account.alias).first()
    if row is None:
        return ()
    return tuple(
        PaymentMethod(id=item["id"], name=item["name"]) for item in row.payment_methods
    )


def synced_at(account: Account) -> datetime | None:
    """Return when the account's catalogue was last read from Smart Gift."""
    return (
        CatalogueSync.objects.filter(account=account.alias)
        .values_list("synced_at", flat=True)
        .first()
    )


# Products


def known_products(account: Account) -> QuerySet[VoucherProduct]:
    """Return every product that Smart Gift ever listed for this account."""
    return VoucherProduct.objects.filter(account=account.alias)


def products_on_sale(
    account: Account, *, type: str | None = None, search: str = ""
) -> QuerySet[VoucherProduct]:
    """Return the products to list, by title; ``search`` looks in title and words."""
    products = known_products(account).filter(
        status=ProductStatus.ACTIVE, gone_at__isnull=True
    )
    if type:
        products = products.filter(type=type)
    for word in search.split()[:8]:
        products = products.filter(
            Q(title__icontains=word) | Q(description_html__icontains=word)
        )
    return products.order_by("title", "remote_id")


def find_product(account: Account, remote_id: int) -> VoucherProduct | None:
    """Return the product of that Smart Gift id, on sale or not; None if never known."""
    return known_products(account).filter(remote_id=remote_id).first()


def available_as(word: Availability) -> Q:
    """Select the products whose ``availability`` is this word."""
    gone = Q(gone_at__isnull=False)
    counter = Q(status=ProductStatus.AT_COUNTER_ONLY)
    open_to_all = Q(status__in=[ProductStatus.ACTIVE, ProductStatus.HIDDEN])
    for_sale = ~gone & open_to_all & _having_terms()
    sold_out = Q(available_count__isnull=False, available_count__lte=0)
    return {
        Availability.GONE: gone,
        Availability.AT_COUNTER_ONLY: ~gone & counter,
        Availability.OFF_SALE: ~gone & ~counter & ~(open_to_all & _having_terms()),
        Availability.SOLD_OUT: for_sale & sold_out,
        Availability.ON_SALE: for_sale & ~sold_out,
    }[word]


def _having_terms() -> Q:
    """Select what ``has_terms``: the same rules, as the database can see them."""
    party = Greatest(Coalesce("persons_min", 1), 1)
    money = DecimalField(max_digits=20, decimal_places=2)
    return Q(
        type=ProductType.MONETARY,
        min_amount__isnull=False,
        max_amount__gt=0,
        max_amount__gte=F("min_amount"),
    ) | (
        Q(type=ProductType.EXPERIENCE, price__gt=0)
        & Q(LessThanOrEqual(party, MAX_PERSONS))
        & Q(
            LessThanOrEqual(
                ExpressionWrapper(
                    Coalesce(F("price"), 0, output_field=money) * party,
                    output_field=money,
                ),
                MAX_AMOUNT,
            )
        )
    )


def availability(product: VoucherProduct, shop: Shop) -> Availability:
    """Tell whether ``shop`` can sell ``product`` now."""
    if product.account != shop.account.alias:
        return Availability.OFF_SALE
    return product.availability


# Where products are shown


def active_language() -> str | None:
    """Return the language of pages that the visitor's is nearest to, if there is one."""
    try:
        return str(get_supported_content_language_variant(translation.get_language()))
    except LookupError:
        return None

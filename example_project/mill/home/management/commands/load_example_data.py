"""Fill an empty database with The Old Mill; safe to run again."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.images import ImageFile
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from wagtail.images import get_image_model
from wagtail.models import Page, Site

from mill.home import content
from mill.home.models import HomePage, StandardPage
from mill.shop.models import Product
from wagtail_smartgift import selectors
from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.models import VoucherIndexPage, VoucherPage, VoucherProduct


PICTURES = Path(__file__).resolve().parents[2] / "pictures"
#: How many get a page; the others show what a product looks like without one.
DRESSED_EXPERIENCES = 3


class Command(BaseCommand):
    help = (
        "Fills the database with the example shop: pages, pictures, products and an "
        "administrator (admin, password admin). Reads Smart Gift's catalogue first. "
        "Running it again adds what is missing and changes nothing that is there."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self._read_catalogue()
        self.pictures = {
            name: self._picture(name, words) for name, words in content.PICTURES.items()
        }
        home = self._home()
        self._story(home)
        self._products()
        self._vouchers(home)
        self._users()
        self.stdout.write("The example is ready: log in as admin, password admin.")

    def _read_catalogue(self) -> None:
        try:
            call_command("smartgift_sync", stdout=self.stdout, stderr=self.stderr)
        except CommandError as error:
            self.stderr.write(
                self.style.WARNING(
                    f"{error}\nThe pages are made without gift vouchers. Run this "
                    "command again when Smart Gift answers."
                )
            )

    def _picture(self, name: str, words: str) -> Any:
        images = get_image_model()
        picture = images.objects.filter(title=words).first()
        if picture is None or not picture.file.storage.exists(picture.file.name):
            with (PICTURES / f"{name}.jpg").open("rb") as file:
                picture = picture or images(title=words)
                if hasattr(picture, "description"):
                    picture.description = words
                picture.file = ImageFile(file, name=f"{name}.jpg")
                picture.save()
                self.stdout.write(f"Picture: {name}")
        return picture

    def _home(self) -> HomePage:
        home = HomePage.objects.first()
        if home is None:
            root = Page.get_first_root_node()
            home = root.add_child(
                instance=HomePage(
                    title="The Old Mill",
                    slug="the-old-mill",
                    strapline=content.STRAPLINE,
                    introduction=content.INTRODUCTION,
                    vouchers=content.VOUCHERS,
                    picture=self.pictures["mill"],
                    seo_title="The Old Mill, a country hotel by the river",
                )
            )
            self.stdout.write("Page: home")
        site = Site.objects.filter(is_default_site=True).first() or Site(
            is_default_site=True, hostname="localhost"
        )
        if (site.root_page_id, site.port) != (home.pk, settings.PORT):
            # The addresses in the API name the port that the shop runs on now.
            site.root_page, site.port = home, settings.PORT
            site.site_name = settings.WAGTAIL_SITE_NAME
            site.save()
        return home

    def _story(self, home: HomePage) -> None:
        if not StandardPage.objects.child_of(home).filter(slug="our-story").exists():
            home.add_child(
                instance=StandardPage(
                    title=content.STORY_TITLE,
                    slug="our-story",
                    show_in_menus=True,
                    strapline=content.STORY_STRAPLINE,
                    body=content.STORY,
                    picture=self.pictures["river"],
                )
            )
            self.stdout.write("Page: our story")

    def _products(self) -> None:
        for position, row in enumerate(content.PRODUCTS):
            slug, name, summary, description, price, unit, picture = row
            _product, added = Product.objects.get_or_create(
                slug=slug,
                defaults={
                    "name": name,
                    "summary": summary,
                    "description": description,
                    "price": price,
                    "unit": unit,
                    "picture": self.pictures[picture],
                    "position": position,
                },
            )
            if added:
                self.stdout.write(f"Product: {name}")

    def _vouchers(self, home: HomePage) -> None:
        index = VoucherIndexPage.objects.first()
        if index is None:
            index = home.add_child(
                instance=VoucherIndexPage(
                    title=content.VOUCHERS_TITLE,
                    slug="gift-vouchers",
                    show_in_menus=True,
                    introduction=content.VOUCHERS_INTRODUCTION,
                )
            )
            self.stdout.write("Page: gift vouchers")
        if VoucherPage.objects.exists():
            return
        # Another server sells other things: take what there is, in its own order.
        account = selectors.shop_for(index.get_site()).account
        on_sale = selectors.products_on_sale(account).order_by("remote_id")
        for product in on_sale.filter(type=ProductType.MONETARY)[:1]:
            self._dress(index, product, content.MONETARY["picture"], content.MONETARY)
        experiences = on_sale.filter(type=ProductType.EXPERIENCE)
        for product in experiences[:DRESSED_EXPERIENCES]:
            picture = next(
                picture
                for word, picture in content.EXPERIENCE_PICTURES
                if word in product.title.lower()
            )
            self._dress(index, product, picture, content.EXPERIENCE)

    def _dress(
        self,
        index: VoucherIndexPage,
        product: VoucherProduct,
        picture: str,
        words: dict[str, Any],
    ) -> None:
        index.add_child(
            instance=VoucherPage(
                title=product.title,
                product=product,
                image=self.pictures[picture],
                introduction=words["introduction"],
                body=words["body"],
            )
        )
        self.stdout.write(f"Page: {product.title}")

    def _users(self) -> None:
        users = get_user_model().objects
        if not users.filter(username="admin").exists():
            users.create_superuser("admin", "admin@example.org", "admin")
        if not users.filter(username="guest").exists():
            users.create_user("guest", "guest@example.org", "guest")

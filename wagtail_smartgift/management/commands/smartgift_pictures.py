"""Make the pictures of voucher pages in every shape and format, before a visitor asks."""

from typing import Any

from django.core.management.base import BaseCommand

from wagtail_smartgift.services import renditions


class Command(BaseCommand):
    help = (
        "Makes what is missing of the pictures of published voucher pages and indexes, "
        "in every shape and format that they are shown in. Nothing depends on it: a "
        "picture is made when a browser first asks for it. Run it after pages were "
        "imported or Pillow was updated, so that no visitor waits for that. Running it "
        "again makes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        made = 0
        for page in renditions.live_pages():
            new = renditions.make_renditions(page)
            made += new
            if new and options["verbosity"] > 1:
                self.stdout.write(f"{page}: {new}")
        self.stdout.write(f"made: {made}")

"""Make the pictures of voucher pages in every shape and format, before a visitor asks."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wagtail_smartgift.services import renditions


class Command(BaseCommand):
    help = (
        "Makes what is missing of the pictures of published voucher pages and indexes, "
        "in every shape and format that they are shown in. Nothing depends on it: a "
        "picture is made when a browser first asks for it. Run it after pages were "
        "imported or Pillow was updated, so that no visitor waits for that. Running it "
        "again makes nothing. Exits with 1 if some cannot be made; the log says which."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        made = failed = 0
        for page in renditions.live_pages():
            result = renditions.make_renditions(page)
            made += result.made
            failed += result.failed
            if any(result) and options["verbosity"] > 1:
                self.stdout.write(f"{page}: {result.made}")
        self.stdout.write(f"made: {made}")
        if failed:
            self.stdout.write(f"failed: {failed}")
            raise CommandError("Some cannot be made; the log says which.")

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WagtailSmartGiftConfig(AppConfig):
    name = "wagtail_smartgift"
    label = "wagtail_smartgift"
    verbose_name = _("Gift vouchers")
    # Hosts set AutoField globally (Wagtail's own starter does); without our own
    # they would find drift in our migrations.
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail.signals import page_published

        from wagtail_smartgift import checks  # noqa: F401 - registers the checks
        from wagtail_smartgift.services import renditions

        page_published.connect(renditions.make_soon)

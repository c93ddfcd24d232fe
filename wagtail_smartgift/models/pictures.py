"""Which of Smart Gift's pictures has become an image of this site."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.images import get_image_model_string

from wagtail_smartgift.models.catalogue import VoucherProduct


class ImportedPicture(models.Model):
    """The image that a product's picture became, so that it is fetched once.

    Another address is another picture, and can be imported beside it. It goes with
    its image: whoever deletes that may import it again.
    """

    product = models.ForeignKey(
        VoucherProduct,
        verbose_name=_("voucher product"),
        on_delete=models.CASCADE,
        related_name="imported_pictures",
        editable=False,
    )
    image = models.ForeignKey(
        get_image_model_string(),
        verbose_name=_("picture"),
        on_delete=models.CASCADE,
        related_name="+",
        editable=False,
    )
    #: Where it came from, which is its credit.
    source_url = models.URLField(_("source"), max_length=1000, editable=False)
    imported_at = models.DateTimeField(_("imported"), editable=False)

    class Meta:
        verbose_name = _("imported picture")
        verbose_name_plural = _("imported pictures")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["product", "source_url"], name="smartgift_picture_once"
            ),
        ]

    def __str__(self) -> str:
        return self.source_url

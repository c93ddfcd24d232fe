"""When recurring work last came to its end."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """One row for each kind of recurring work, such as the sweep."""

    name = models.CharField(max_length=32, unique=True, editable=False)
    at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name

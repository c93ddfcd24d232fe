"""System checks: every way to set this up wrongly, said before it costs a sale.

Each check has an id of its own, a message that says what is wrong and a hint that says
what to do; the reference of the checks lists them all. An error means that something
certainly fails; a warning, that it does for most shops: one that knows better puts the
id into ``SILENCED_SYSTEM_CHECKS``. Nothing here calls Smart Gift, writes a row or
shows a secret. Importing this package registers the checks.
"""

from wagtail_smartgift.checks.project import check_project, check_urls
from wagtail_smartgift.checks.rows import check_rows
from wagtail_smartgift.checks.settings import (
    check_settings,
    check_settings_for_production,
)


__all__ = [
    "check_project",
    "check_rows",
    "check_settings",
    "check_settings_for_production",
    "check_urls",
]

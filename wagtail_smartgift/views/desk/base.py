"""What the views of the desk share: the menu that shows what one may see, and exports.

Who may do what is Django's permissions, looked at by Wagtail's permission policies:
an action ``settle`` on payments is the permission ``settle_paymentsession``.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.db import models
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import force_str
from django.utils.functional import Promise
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.mixins import SpreadsheetExportMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.services.catalogue_reading import UNPRINTABLE


#: With one of these in front, a spreadsheet takes a text for a formula.
_FORMULA = (*"=+-@\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n")
#: Where a reader may see a cell begin within a text, with one of these in front.
_CELL_WITHIN = re.compile('([;,|\t\r\n][\\s"]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])')


class GuardedMenuItem(MenuItem):
    """Is shown to whoever may do one of ``actions``."""

    policy: ClassVar[Any]
    actions: ClassVar[Sequence[str]]

    def is_shown(self, request: HttpRequest) -> bool:
        return bool(self.policy.user_has_any_permission(request.user, self.actions))


class GuardedViewSet(ViewSet):
    """Addresses and the item of the menu, shown to whoever may come in.

    The views check for themselves: an item that is not shown keeps nobody out.
    """

    #: A permission policy of Wagtail's.
    policy: ClassVar[Any]
    #: Any of these lets somebody in.
    actions: ClassVar[Sequence[str]] = ("view",)
    #: What the item is made of.
    guarded_item_class: ClassVar[type[GuardedMenuItem]] = GuardedMenuItem

    @classmethod
    def lets_in(cls, user: Any) -> bool:
        return bool(cls.policy.user_has_any_permission(user, cls.actions))

    @property
    def menu_item_class(self) -> type[GuardedMenuItem]:
        return type(
            f"{type(self).__name__}MenuItem",
            (self.guarded_item_class,),
            {"policy": self.policy, "actions": self.actions},
        )


def moves_money(view: Any) -> Any:
    """Prepare a view in which money moves, or a voucher's number comes in.

    Each step is committed by itself, so no transaction of the host's may span it; no
    browser or proxy keeps what it shows, and no error page what was typed.
    """
    return non_atomic_requests(never_cache(sensitive_post_parameters()(view)))


def leads_to(
    index: str,
    *,
    label: str,
    icon: str,
    model: type[models.Model],
    request: HttpRequest,
    actions: Sequence[str] = ("view",),
) -> list[HeaderButton]:
    """Return a button to another list, if the user may see that one."""
    policy = ModelPermissionPolicy(model)
    if not policy.user_has_any_permission(request.user, actions):
        return []
    return [HeaderButton(label, url=reverse(index), icon_name=icon)]


def plain(value: Any) -> str:
    """Return a text that no spreadsheet takes for a formula, and that any can hold.

    A buyer's "to" or a shop's reference is written by strangers, and Wagtail's export
    writes it as it is.
    """
    text = UNPRINTABLE.sub("", force_str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def plain_in_csv(value: Any) -> str:
    """Return such a text for a file whose cells a reader may part elsewhere.

    A spreadsheet parts them as its language does, at semicolons for example: what
    stands behind one is then the beginning of a cell.
    """
    return _CELL_WITHIN.sub(r"\1'", plain(value))


def _none(_value: Any) -> str:
    return ""


_PLAIN: dict[str, Callable[[Any], Any]] = {"csv": plain_in_csv, "xlsx": plain}


class SafeExport(SpreadsheetExportMixin):
    """An export to CSV and XLSX whose texts are texts.

    Stands before Wagtail's view among the bases.
    """

    custom_value_preprocess: ClassVar[dict[Any, Any]] = {
        **SpreadsheetExportMixin.custom_value_preprocess,
        (str, Promise): _PLAIN,
        type(None): {"csv": _none, "xlsx": _none},
    }

    def get_filename(self) -> str:
        """Name the file after what is in it and the day."""
        return f"{self.export_filename}-{datetime.datetime.now(tz=datetime.timezone.utc):%Y-%m-%d}"

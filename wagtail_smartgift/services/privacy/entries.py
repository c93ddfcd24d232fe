"""What was done about a customer's data, and by whom; never the address itself."""

from typing import Any

from wagtail.log_actions import log

from wagtail_smartgift.choices import PrivacyOperation
from wagtail_smartgift.models import PrivacyEvent
from wagtail_smartgift.services import erasures


#: Names of the two in Wagtail's log.
EXPORT_ACTION = "wagtail_smartgift.privacy_export"
ERASE_ACTION = "wagtail_smartgift.privacy_erase"


def write_down(
    operation: PrivacyOperation,
    email: str,
    *,
    user: Any,
    actor: str,
    **counts: int,
) -> None:
    """Write who did what, here and in Wagtail's log; neither holds the address."""
    event = PrivacyEvent(
        operation=operation,
        email_fingerprint=erasures.fingerprint(email),
        actor=name_of(user, actor),
        **counts,
    )
    event.save()
    is_export = operation is PrivacyOperation.EXPORT
    log(
        instance=event,
        action=EXPORT_ACTION if is_export else ERASE_ACTION,
        user=user,
        data=counts,
    )


def name_of(user: Any, actor: str) -> str:
    """Return who it was: a user of the admin, else whom the command was told."""
    name: str = user.get_username() if user is not None else actor
    return name[:150]

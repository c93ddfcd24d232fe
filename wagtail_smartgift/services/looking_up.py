"""Looking a voucher's number up at the voucher desk, and carrying it to the next step.

Who looked which number up is stored before it is asked for: a balance is worth knowing
to whoever means to spend somebody else's voucher, so no look-up is without a trace.
"""

import json
import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log
from wagtail.models import Site

from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.client import RefusalReason
from wagtail_smartgift.codes import (
    MAX_VOUCHER_NUMBER_LENGTH,
    UndecryptableError,
    display_code,
)
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import DeskLookUp
from wagtail_smartgift.redaction import Secret, hidden_object
from wagtail_smartgift.references import DESK_PREFIX
from wagtail_smartgift.selectors import shop_for
from wagtail_smartgift.services import enquiry, guessing, keys, vault


logger = logging.getLogger(__name__)

#: The name in Wagtail's log, on a payment that the number was used for.
LOOK_UP_ACTION = "wagtail_smartgift.desk_look_up"
#: Seconds for which a number that was looked up can be carried to the next step.
CARRY_SECONDS = 900
#: The outcome of a look-up that Smart Gift has answered; others are why it has not.
TOLD = "told"
#: Look-ups of one number that are shown.
MOST_LOOK_UPS = 50
#: Characters of an experience's name that are carried along.
_LONGEST_NAME = 100


class CarryLost(Exception):
    """The number that was looked up is not to be had any more: look it up again."""


@dataclass(frozen=True)
class Experience:
    """One part of an experience voucher, which is used as a whole or not at all."""

    bit_value: int
    name: str


@dataclass(frozen=True)
class Carried:
    """A number on its way from one step to the next, for one person and a short time."""

    id: UUID
    number: str = field(repr=False)
    site: Site | None
    #: What was left on an experience voucher when it was looked up; else empty.
    experiences: tuple[Experience, ...] = ()

    @property
    def display_code(self) -> str:
        return display_code(self.number)

    def is_in(self, text: str) -> bool:
        """Tell whether somebody has typed the number into other words."""
        return vault.number_in(text, self.number)

    def is_meant_by(self, text: str) -> bool:
        """Tell whether somebody has typed the number where a name of something belongs."""
        return vault.stands_for(text, self.number)

    @property
    def reference(self) -> str:
        """Return the reference of a payment for this number alone."""
        return f"{DESK_PREFIX}{self.id}"


@dataclass(frozen=True)
class Found:
    """What is known of a number, at Smart Gift and here."""

    answer: enquiry.Answer
    #: Who else looked it up, and this look-up; the newest first.
    look_ups: tuple[DeskLookUp, ...]
    #: What is left on an experience voucher; else empty.
    experiences: tuple[Experience, ...]
    #: To be sent along to the next step; sealed.
    carried: str = field(repr=False)

    @property
    def is_experience(self) -> bool:
        state = self.answer.state
        return state is not None and state.type == ProductType.EXPERIENCE

    @property
    def lacks_value(self) -> bool:
        """Whether nobody has said what this shop's experiences are worth."""
        return self.is_experience and get_conf().experience_value is None

    @property
    def can_be_tried(self) -> bool:
        """Whether there can be anything on it that this shop takes."""
        if self.is_experience:
            return bool(self.experiences) and not self.lacks_value
        return self.answer.state is not None


def look_up(*, voucher_no: str, site: Site | None, user: Any) -> Found:
    """Ask Smart Gift, and this database, about a number.

    Raises:
        PaymentError: ``invalid``, ``throttled``.
    """
    voucher_no = Secret(voucher_no)
    number = Secret(vault.normalise(voucher_no))
    if not number or len(number) > MAX_VOUCHER_NUMBER_LENGTH:
        raise PaymentError(
            "invalid", fields={"voucher_no": _("Enter the number on the voucher.")}
        )
    shop = shop_for(site)
    with guessing.look_up_by_staff(guessing.asker(user)) as made:
        noted = _note(number, account=shop.account, user=user)
        answer = enquiry.ask(
            account=shop.account,
            site_id=shop.site_id,
            voucher_no=number,
            classifications=shop.classifications,
        )
        # A number that this shop has dealt with is no guess; nor is any, where our own
        # settings are refused.
        ours = answer.is_known or answer.reason == RefusalReason.INVALID_SITE.value
        made.failed = answer.refused and not ours
    DeskLookUp.objects.filter(pk=noted.pk).update(outcome=answer.reason or TOLD)
    if answer.uses:
        log(
            instance=answer.uses[0],
            action=LOOK_UP_ACTION,
            user=user,
            data={"voucher": answer.display_code},
        )
    experiences = _experiences(answer)
    return Found(
        answer=answer,
        look_ups=_look_ups(noted),
        experiences=experiences,
        carried=_carry(number, site, user, experiences),
    )


def _note(number: str, *, account: Account, user: Any) -> DeskLookUp:
    """Store who looks a number up, before anything is told about it.

    Under the wrong FINGERPRINT_KEY it is stored without a fingerprint, which
    ``smartgift_rekey`` makes up.
    """
    number = Secret(number)
    values = {
        "account": account.alias,
        "number_encrypted": vault.seal(number),
        "display_code": display_code(number),
        "actor": str(user.get_username())[:150],
    }
    try:
        with transaction.atomic(durable=True):
            row = DeskLookUp.objects.create(
                **values, fingerprint=vault.fingerprint(number, account=account)
            )
            keys.require_ours()
    except keys.WrongFingerprintKey:
        row = DeskLookUp.objects.create(**values)
    logger.info(
        "Voucher %s is looked up at the desk by user %s (look-up %s).",
        row.display_code,
        user.pk,
        row.pk,
    )
    return row


def _look_ups(noted: DeskLookUp) -> tuple[DeskLookUp, ...]:
    rows = DeskLookUp.objects.filter(pk=noted.pk)
    if noted.fingerprint:
        rows = DeskLookUp.objects.filter(fingerprint=noted.fingerprint)
    return tuple(rows.order_by("-created_at", "-pk")[:MOST_LOOK_UPS])


def _experiences(answer: enquiry.Answer) -> tuple[Experience, ...]:
    state = answer.state
    if state is None or state.type != ProductType.EXPERIENCE or state.sold_out:
        return ()
    return tuple(
        Experience(one.bit_value, one.name[:_LONGEST_NAME]) for one in state.experiences
    )


def _carry(
    number: str, site: Site | None, user: Any, experiences: tuple[Experience, ...]
) -> str:
    content = {
        "desk": str(uuid.uuid4()),
        "number": Secret(number),
        "site": site.pk if site is not None else None,
        "user": str(user.pk),
        "until": int(time.time()) + CARRY_SECONDS,
        "experiences": [[one.bit_value, one.name] for one in experiences],
    }
    return vault.seal(Secret(json.dumps(content, ensure_ascii=False)))


def open_carried(token: str, *, user: Any) -> Carried:
    """Open what a form has sent along.

    Raises:
        CarryLost: it is somebody else's, too old, or nothing of ours.
    """
    try:
        content = json.loads(vault.open_sealed(token), object_hook=hidden_object)
        mine = content["user"] == str(user.pk) and content["until"] > time.time()
        carried_id = UUID(content["desk"])
        number, site_id = Secret(content["number"]), content["site"]
        experiences = tuple(
            Experience(int(bit), str(name)) for bit, name in content["experiences"]
        )
    except (UndecryptableError, ValueError, TypeError, KeyError, AttributeError):
        raise CarryLost from None
    if not mine:
        raise CarryLost
    site = None if site_id is None else Site.objects.filter(pk=site_id).first()
    if site_id is not None and site is None:
        raise CarryLost
    return Carried(id=carried_id, number=number, site=site, experiences=experiences)

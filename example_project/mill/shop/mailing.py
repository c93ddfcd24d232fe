"""The mail that brings a buyer their gift vouchers, sent once.

The plugin makes it, from templates that a site can replace; the shop sends it when the
signal says that the vouchers are sold. That may be long after the customer has gone, and
the signal may come twice.
"""

from django.conf import settings
from django.db.models import Q
from django.utils import timezone, translation

from mill.shop.models import WORKING_TIME, Order
from wagtail_smartgift import printing


class MailUnderWay(Exception):
    """Somebody else is sending it; the plugin asks again later whether it was sent."""


def send_vouchers(order: Order) -> None:
    """Mail the gift vouchers of an order, unless that was done.

    Whatever goes wrong is raised, and the plugin's sweep calls again. Only a process
    that dies between sending and writing it down makes the mail come twice.

    Raises:
        MailUnderWay: another process began to, and has neither finished nor died.
    """
    now = timezone.now()
    unsent = Order.objects.filter(pk=order.pk, mailed_at__isnull=True)
    # The condition is part of the UPDATE: of two processes, one gets to send it.
    begun = unsent.filter(
        Q(mail_begun_at__isnull=True) | Q(mail_begun_at__lt=now - WORKING_TIME)
    ).update(mail_begun_at=now)
    if not begun:
        if unsent.exists():
            raise MailUnderWay(f"The vouchers of {order} are being mailed.")
        return
    sent = False
    try:
        with translation.override(order.language or settings.LANGUAGE_CODE):
            mail = printing.mail_for(reference=order.reference)
            if mail is not None:
                mail.send()
                sent = True
    finally:
        if not sent:
            # Its own claim alone: who was taken for dead may only have been slow.
            unsent.filter(mail_begun_at=now).update(mail_begun_at=None)
    if sent:
        # Whoever has the claim by now, the mail is out.
        unsent.update(mailed_at=timezone.now())

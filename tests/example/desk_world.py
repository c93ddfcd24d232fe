"""A row of everything that a page of the desk is about, in a running example shop.

``Shop.manage("shell", "-c", …)`` runs ``make`` within the shop, and reads what it prints.
"""

import json
from datetime import timedelta


def make(number, other, third):
    """Make the rows, with three good vouchers, and print the keys of each as JSON."""
    from django.utils import timezone
    from wagtail.models import Site

    from wagtail_smartgift import payments
    from wagtail_smartgift.conf import get_conf
    from wagtail_smartgift.models import (
        InboxMessage,
        OutboxEvent,
        PaymentSession,
        Redemption,
        RedemptionEvent,
        VoucherIndexPage,
        VoucherOrder,
        VoucherOrderItem,
        VoucherProduct,
        WebhookDelivery,
    )
    from wagtail_smartgift.services import vault

    now = timezone.now()
    account = get_conf().account("default")

    def session(reference, voucher_no):
        payments.open_session(reference=reference, amount_due="80.00")
        payments.add_voucher(reference=reference, voucher_no=voucher_no)
        return PaymentSession.objects.get(reference=reference)

    opened = session("everywhere-open", number)
    paid = session("everywhere-paid", other)
    payments.confirm(reference="everywhere-paid")
    case = session("everywhere-case", third)
    PaymentSession.objects.filter(pk=case.pk).update(
        status="needs_attention",
        attention_code="balance_moved",
        interrupted="confirming",
    )
    row = Redemption.objects.get(session=case)
    Redemption.objects.filter(pk=row.pk).update(
        status="needs_attention", attention_code="balance_moved", sent_at=now
    )
    RedemptionEvent.objects.create(
        redemption=row,
        operation="check",
        outcome="succeeded",
        status="needs_attention",
        balance="42.00",
    )
    order = VoucherOrder(
        reference="everywhere-order",
        remote_reference="everywhere-order",
        status="needs_attention",
        attention_code="sale_unknown",
        sent_at=now,
        attempt=1,
        own_codes=False,
        payment_method=12,
        customer={
            "first_name": "Jane",
            "last_name": "Miller",
            "email": "j@example.org",
        },
        delivery={"method": "1", "price": "0.00", "date": None, "address": None},
    )
    order.bind_to(account)
    order.save()
    product = VoucherProduct.objects.get(remote_id=37)
    VoucherOrderItem.objects.create(
        order=order, position=0, product=product, price="50.00", to="Rose"
    )
    event = OutboxEvent(type="session.confirmed", session=paid, dispatched_at=now)
    event.bind_to(account)
    event.save()
    delivery = WebhookDelivery.objects.create(
        event=event,
        endpoint_digest="x" * 32,
        endpoint="https://shop.example/a/rather/long/address/of/an/endpoint",
        status="failed",
        problem="gone",
        http_status=410,
        settled_at=now,
    )
    delivery.log.create(operation="send", outcome="failed", http_status=410)
    message = InboxMessage(
        webhook_id="msg-everywhere",
        type="order.confirmed",
        reference="nobodys",
        body_digest_encrypted=vault.seal("x"),
        payload_encrypted=vault.seal('{"reference": "nobodys"}'),
        status="failed",
        code="not_found",
        # So old that whoever replays it is asked to look at its order first.
        received_at=now - timedelta(days=20),
        finished_at=now - timedelta(minutes=1),
    )
    message.bind_to(account)
    message.save()
    made = {
        "app": "wagtail_smartgift",
        "settings": "smartgiftsettings",
        "site": Site.objects.filter(is_default_site=True).get().pk,
        "index": VoucherIndexPage.objects.first().pk,
        "product": product.pk,
        "order": order.pk,
        "payment": case.pk,
        "open": opened.pk,
        "paid": paid.pk,
        "held": Redemption.objects.get(session=opened).pk,
        "redemption": row.pk,
        "message": message.pk,
        "delivery": delivery.pk,
        "event": event.pk,
    }
    print(json.dumps(made, default=str))

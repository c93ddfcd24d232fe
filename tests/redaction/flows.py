"""What happens in a shop, told with secrets that are known.

A flow is a function of a ``Shop``; ``@flow`` is all it takes to have it watched. Flows do
not check what they achieve: other tests do. They have to reach as many corners as can be.
"""

import re
from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.core.checks import run_checks
from django.test import Client
from django.urls import reverse

from tests import inbox
from tests.receivers import running_receiver
from wagtail_smartgift import payments, printing, sales
from wagtail_smartgift.models import (
    PaymentSession,
    Redemption,
    VoucherOrder,
    VoucherOrderItem,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import evidence, reconciliation

from .shop import KEYS, NUMBER, ORDER, OTHER, SERVER_KEY, TEA, WRONG, Shop


Flow = Callable[[Shop], None]
FLOWS: dict[str, Flow] = {}


def flow(told: Flow) -> Flow:
    FLOWS[told.__name__] = told
    return told


# -- Python -----------------------------------------------------------------------------


@flow
def a_payment_from_beginning_to_end(shop: Shop) -> None:
    shop.open()
    shop.add(NUMBER, amount="30.00")
    shop.add(OTHER)
    shop.verb(payments.prepare, reference="order-1")
    shop.verb(payments.confirm, reference="order-1", amount_remaining="0.00")
    shop.verb(payments.refund, reference="order-1", amount="10.00")
    shop.verb(payments.refund, reference="order-1")
    shop.verb(payments.cancel, reference="order-1")
    shop.verb(payments.get_session, reference="order-1")


@flow
def a_voucher_comes_and_goes(shop: Shop) -> None:
    shop.open()
    [voucher] = shop.add(NUMBER).redemptions
    shop.verb(payments.change_voucher, reference="order-1", redemption_id=voucher.id)
    shop.verb(payments.renew_hold, reference="order-1", redemption_id=voucher.id)
    shop.verb(payments.release_holds, reference="order-1")
    shop.verb(payments.prepare, reference="order-1")
    shop.verb(payments.remove_voucher, reference="order-1", redemption_id=voucher.id)
    shop.verb(payments.cancel, reference="order-1")


@flow
def an_experience_pays(shop: Shop) -> None:
    shop.open()
    shop.add(TEA, experiences=[1])
    shop.add(TEA, experiences=[4096])
    shop.verb(payments.confirm, reference="order-1")
    shop.verb(payments.refund, reference="order-1")


@flow
def every_refusal(shop: Shop) -> None:
    shop.add(NUMBER)
    shop.open()
    for number in (
        WRONG,
        f"{NUMBER}{'9' * 99}",
        "",
        f" {NUMBER}\u0000",
        f"{NUMBER}\ud800",
    ):
        shop.add(number)
    shop.add(NUMBER, amount="not an amount")
    shop.add(NUMBER, experiences=[3])
    shop.add(NUMBER)
    shop.open("order-2")
    shop.add(NUMBER, reference="order-2")
    shop.sandbox.hold_by_till(OTHER)
    shop.add(OTHER)
    shop.verb(payments.confirm, reference="order-1", amount_remaining="1.00")
    shop.verb(payments.refund, reference="order-1")
    shop.verb(payments.remove_voucher, reference="order-1", redemption_id=uuid4())


@flow
def answers_that_are_no_answers(shop: Shop) -> None:
    for operation, modes in {
        "hold": ("lost_after", "garbage"),
        "check": ("status", "html"),
        "redeem": ("lost_before", "lost_after", "half_body"),
        "release": ("lost_before", "garbage"),
        "reverse": ("lost_after", "status"),
    }.items():
        for mode in modes:
            reference = f"{operation}-{mode}"
            shop.open(reference)
            shop.sandbox.faults.add(Fault(operation, mode, times=1))
            shop.add(NUMBER, reference=reference, amount="1.00")
            shop.verb(payments.confirm, reference=reference)
            shop.verb(payments.cancel, reference=reference)
            shop.sandbox.faults.clear()
            for _pass in range(2):
                shop.pass_time(400)
                reconciliation.reconcile()


@flow
def refusals_that_quote_what_was_sent(shop: Shop) -> None:
    shop.open()
    shop.add(NUMBER)
    for operation in ("check", "redeem", "hold", "release"):
        for number in (NUMBER, OTHER):
            shop.sandbox.faults.add(
                Fault(
                    operation,
                    "refused",
                    message=f"No {number} with {KEYS['the API key']} here.",
                    voucher_no=number,
                    times=None,
                )
            )
    shop.add(OTHER)
    shop.verb(payments.prepare, reference="order-1")
    shop.verb(payments.confirm, reference="order-1")
    shop.verb(payments.cancel, reference="order-1")


@flow
def nobody_at_the_other_end(shop: Shop) -> None:
    shop.open()
    shop.add(NUMBER)
    shop.sandbox.faults.add(Fault("*", "unauthorised", times=None))
    shop.verb(payments.prepare, reference="order-1")
    shop.sandbox.faults.clear()
    shop.sandbox.faults.add(Fault("*", "rate_limited", times=None))
    shop.verb(payments.confirm, reference="order-1")
    shop.sandbox.faults.clear()
    account = {"API_KEY": KEYS["the API key"], "BASE_URL": "http://127.0.0.1:9"}
    shop.configure(ACCOUNTS={"default": {**account, "SITE_ID": "1"}})
    shop.open("order-2")
    shop.add(OTHER, reference="order-2")
    shop.verb(payments.confirm, reference="order-1")
    shop.run("smartgift_sync")


@flow
def keys_that_do_not_open(shop: Shop) -> None:
    shop.open()
    shop.add(NUMBER)
    shop.verb(sales.place_order, reference="order-1", **ORDER)
    shop.know_own_numbers()
    shop.configure(ENCRYPTION_KEYS=[KEYS["the old encryption key"]])
    shop.verb(payments.confirm, reference="order-1")
    shop.verb(sales.get_order, reference="order-1")
    shop.pass_time(400)
    reconciliation.reconcile()
    shop.run("smartgift_rekey")


# -- selling ----------------------------------------------------------------------------


@flow
def vouchers_are_sold(shop: Shop) -> None:
    shop.run("smartgift_sync")
    order = sales.place_order(reference="order-1", **ORDER)
    shop.know_own_numbers()
    # The shop's own Python is given the number, and its repr keeps it.
    shop.watch.look("repr: place_order", repr(order))
    shop.verb(sales.get_order, reference="order-1")
    shop.verb(sales.place_order, reference="order-1", **{**ORDER, "items": []})
    shop.verb(sales.place_order, reference="order-2", **ORDER, payment_method=999)


@flow
def sales_without_an_answer(shop: Shop) -> None:
    shop.run("smartgift_sync")
    for number, mode in enumerate(("lost_after", "lost_before", "garbage", "refused")):
        shop.sandbox.faults.add(
            Fault("pos-sale", mode, times=1, message=KEYS["the API key"], field="items")
        )
        shop.verb(sales.place_order, reference=f"order-{number}", **ORDER)
        shop.know_own_numbers()
        for _pass in range(3):
            shop.pass_time(200)
            reconciliation.reconcile()


# -- JSON -------------------------------------------------------------------------------

OPENING = ("a client secret",)


@flow
def the_json_api_of_a_customer(shop: Shop) -> None:
    opened = shop.api(
        "POST",
        "server/payment-sessions",
        {"reference": "order-1", "amount_due": "80.00", "metadata": {"a": 1}},
        but=OPENING,
        **{"Idempotency-Key": "opening"},
    )
    secret = opened.json()["client_secret"]
    path = "payment-session/redemptions"
    for number in (NUMBER, WRONG, OTHER, "", 5):
        for _twice in range(2):
            shop.api(
                "POST",
                path,
                {"voucher_no": number},
                token=secret,
                **{"Idempotency-Key": f"add {number}"[-8:]},
            )
    shop.api("POST", path, {"voucher_no": NUMBER, "amount": "x"}, token=secret)
    shop.api("POST", path, {"voucher_no": [NUMBER]}, token=secret)
    shop.api("GET", "payment-session", token=secret)
    for voucher in shop.api("GET", "payment-session", token=secret).json()[
        "redemptions"
    ]:
        shop.api("DELETE", f"{path}/{voucher['id']}", token=secret)
    shop.api("GET", "payment-session", token=f"{secret}x")
    shop.pass_time(90_000)
    shop.api("GET", "payment-session", token=secret)


@flow
def the_json_api_of_a_server(shop: Shop) -> None:
    path = "server/payment-sessions"
    body = {"reference": "order-1", "amount_due": "80.00"}
    shop.api("POST", path, body, but=OPENING)
    shop.add(NUMBER)
    for verb in ("prepare", "confirm", "refund", "cancel"):
        shop.api("POST", f"{path}/order-1/{verb}", {})
        shop.api("POST", f"{path}/order-1/{verb}", {}, token=f"{SERVER_KEY}x")
    shop.api("GET", f"{path}/order-1")
    shop.api("GET", f"{path}/{NUMBER}".replace(NUMBER, "nobody"))
    shop.api("GET", "health")
    shop.api("GET", "openapi.json", token=None)
    shop.api("GET", "vouchers", token=None)
    shop.api("POST", path, {**body, "voucher_no": NUMBER})


@flow
def a_sale_by_json(shop: Shop) -> None:
    shop.run("smartgift_sync")
    order = {"reference": "order-1", **ORDER}
    for _twice in range(2):
        key = {"Idempotency-Key": "sale"}
        # The contract: the server that sells is told the numbers of what it sold.
        shop.api("POST", "server/voucher-orders", order, **key)
    numbers = ("the number of item 0",)
    shop.know_own_numbers()
    shop.api("GET", "server/voucher-orders/order-1", but=numbers)
    shop.api("GET", "server/voucher-orders/order-1", token=None)


@flow
def balances(shop: Shop) -> None:
    for number in (NUMBER, WRONG, TEA, "x" * 99, "", 7):
        shop.api("POST", "balance", {"voucher_no": number}, token=None)
    shop.sandbox.faults.add(Fault("check", "status", times=2))
    shop.api("POST", "balance", {"voucher_no": OTHER}, token=None)
    for _guess in range(9):
        shop.api("POST", "balance", {"voucher_no": WRONG}, token=None)


# -- pages ------------------------------------------------------------------------------


@flow
def the_forms_of_a_page(shop: Shop) -> None:
    shop.open()
    client = Client()

    def show() -> str:
        page = client.get("/pay/order-1/")
        shop.answered("the payment page", page)
        return str(page.text)

    def send(action: str, **values: object) -> None:
        token = show().partition('name="session" value="')[2].partition('"')[0]
        answer = client.post(
            f"/smartgift/payment/vouchers/{action}",
            {"session": token, "next": "/pay/order-1/", **values},
        )
        shop.answered(f"form {action}", answer)
        show()

    for number in (NUMBER, WRONG, OTHER, ""):
        send("", voucher_no=number)
    row = Redemption.objects.filter(status="held").first()
    assert row is not None
    send("change/", redemption=str(row.pk), amount="5")
    send("remove/", redemption=str(row.pk))
    send("remove/", redemption=NUMBER)
    # A number that was typed into the wrong field, and a form that is not ours.
    send("", voucher_no=OTHER, amount=NUMBER)
    answer = client.post("/smartgift/payment/vouchers/", {"voucher_no": NUMBER})
    shop.answered("a forged form", answer)


# -- webhooks ---------------------------------------------------------------------------


@flow
def what_the_shop_tells(shop: Shop) -> None:
    """Messages in: good ones, forged ones, and ones with a number where none belongs."""
    secret = KEYS["the webhook secret"]
    sender = inbox.Shop()
    shop.open()
    shop.add(NUMBER)
    shop.run("smartgift_sync")
    sale = {"reference": "order-9", **ORDER, "to": OTHER}
    for number, (event, data) in enumerate(
        (
            ("order.confirmed", {"reference": "order-1"}),
            ("order.confirmed", {"reference": "order-1"}),
            ("order.refunded", {"reference": "order-1", "amount": "5.00"}),
            ("order.cancelled", {"reference": "nobody", "note": NUMBER}),
            ("order.paid", {"reference": "order-8", **ORDER}),
            ("order.paid", sale),
            ("something.else", {"voucher_no": NUMBER}),
        )
    ):
        for _twice in range(2):
            answer = sender.tell(event, data, secret=secret, webhook_id=f"msg-{number}")
            shop.answered(f"webhook {event}", answer)
    shop.know_own_numbers()
    answer = sender.tell("order.confirmed", {"voucher_no": NUMBER})
    shop.answered("a forged webhook", answer)
    shop.answered("a broken webhook", sender.say(f'{{"voucher_no": "{NUMBER}"'))
    shop.run("smartgift_replay")
    shop.pass_time(400)
    reconciliation.reconcile()
    shop.walk_the_admin()


@flow
def what_the_shop_is_told(shop: Shop) -> None:
    """Webhooks out: to somebody who listens, who fails, and who is not there."""
    with running_receiver() as receiver:
        listening = receiver.as_endpoint()
        nobody = {**listening, "url": "http://127.0.0.1:9/"}
        shop.watch.secrets["the endpoint's secret"] = listening["secret"]
        shop.configure(WEBHOOK_ENDPOINTS=[listening, nobody])
        shop.run("smartgift_sync")
        shop.open()
        shop.add(NUMBER)
        shop.verb(payments.confirm, reference="order-1")
        shop.verb(sales.place_order, reference="order-1", **ORDER)
        shop.know_own_numbers()
        for _pass in range(3):
            shop.pass_time(4000)
            reconciliation.reconcile()
        shop.run("smartgift_replay")
        shop.run("smartgift_doctor")
        shop.walk_the_admin()


# -- commands, checks and staff ------------------------------------------------------------


@flow
def commands_and_checks(shop: Shop) -> None:
    shop.open()
    shop.add(NUMBER)
    shop.verb(payments.confirm, reference="order-1")
    shop.open("order-2")
    shop.add(OTHER, reference="order-2")
    shop.run("smartgift_sync")
    shop.run("smartgift_reconcile")
    for row in Redemption.objects.filter(status="held"):
        Redemption.objects.filter(pk=row.pk).update(number_encrypted="no token")
    shop.run("smartgift_rekey", "--dry-run")
    shop.run("smartgift_rekey")
    shop.run("smartgift_reconcile")
    shop.run("check", "--deploy", "--database", "default")
    for found in run_checks(databases=["default"]):
        shop.watch.look("output: checks", f"{found} {found.hint} {found.obj}")
    shop.run("smartgift_sync", "--account", "nobody")


@flow
def commands_about_one_voucher(shop: Shop) -> None:
    """The number is typed by the operator, and printed by nobody."""
    shop.open()
    shop.add(NUMBER, amount="1.00")
    for number in (NUMBER, OTHER, WRONG, TEA, f"{NUMBER}{'9' * 99}"):
        shop.run("smartgift_check", number)
    shop.sandbox.faults.add(Fault("check", "status", times=None))
    shop.run("smartgift_check", OTHER)
    shop.sandbox.faults.clear()
    shop.run("smartgift_doctor")
    shop.run("smartgift_doctor", "--offline")
    shop.run("smartgift_probe", WRONG, "--yes")
    shop.run("smartgift_probe", OTHER, "--yes")
    shop.run("smartgift_doctor")


@flow
def staff_look_around(shop: Shop) -> None:
    shop.run("smartgift_sync")
    shop.open()
    shop.add(NUMBER)
    shop.verb(payments.confirm, reference="order-1")
    shop.verb(sales.place_order, reference="order-1", **ORDER)
    shop.know_own_numbers()
    seen = shop.walk_the_admin()
    assert any("smartgift" in address for address in seen)
    for model in (Redemption, VoucherOrderItem):
        for row in model.objects.all():
            shop.watch.look("repr: a row", f"{row!r} {row}")


@flow
def staff_at_the_voucher_desk(shop: Shop) -> None:
    shop.open()
    client = shop.admin()

    def send(name: str, *args: object, **values: object) -> str:
        address = reverse(f"smartgift_{name}", args=args)
        answer = client.post(address, {"form_id": uuid4(), **values}, follow=True)
        shop.answered(f"POST {address}", answer)
        return answer.content.decode()

    for number in (WRONG, "", f"{NUMBER}{'9' * 99}", NUMBER):
        found = send("counter:index", voucher_no=number)
    [carried] = set(re.findall(r'name="carried" value="([^"]+)"', found))
    wish = {"carried": carried, "amount": "20.00", "reason": "On the telephone."}
    send("counter:hold", **wish)
    send("counter:hold", **{**wish, "reason": f"It is {NUMBER}."}, confirmed=1)
    send("counter:hold", **wish, confirmed=1)
    send("counter:apply", **wish, reference="order-1", confirmed=1)
    session = PaymentSession.objects.get(reference__startswith="desk-")
    asked = client.get(reverse("smartgift_counter:move", args=[session.pk, "redeem"]))
    [plan] = re.findall(r'name="plan" value="([^"]+)"', asked.content.decode())
    send("counter:move", session.pk, "redeem", reason="Paid.", plan=plan)
    shop.sandbox.faults.add(Fault("reverse", "refused", times=None))
    send("counter:move", session.pk, "reverse", reason="Back.", seen_status="confirmed")
    shop.sandbox.faults.clear()
    row = Redemption.objects.select_related("session").get(session=session)
    send("attention:read", row.pk)
    for reason in (f"It is {NUMBER}.", "Blocked."):
        case = evidence.of(Redemption.objects.get(pk=row.pk))
        assert case is not None
        values = {"seen": case.version, "reason": reason}
        send("attention:settle", row.pk, "not_reversed", **values)


@flow
def a_sale_is_settled_by_staff(shop: Shop) -> None:
    shop.run("smartgift_sync")
    shop.sandbox.faults.add(Fault("pos-sale", "lost_before"))
    shop.verb(sales.place_order, reference="order-1", **ORDER)
    shop.know_own_numbers()
    VoucherOrder.objects.update(
        status="needs_attention", attention_code="sale_unknown", next_look_at=None
    )
    order = VoucherOrder.objects.get()
    address = reverse("smartgift_attention:settle_order", args=[order.pk, "sold"])
    values = {"seen": order.version, "reason": "There.", "number_0": OTHER}
    for reason in (f"It is {OTHER}.", "There."):
        answer = shop.admin().post(address, {**values, "reason": reason}, follow=True)
        shop.answered("POST a verdict", answer)


@flow
def settings_that_are_wrong(shop: Shop) -> None:
    for wrong in (
        {"SERVER_KEYS": SERVER_KEY},
        {"ACCOUNTS": {"default": {"API_KEY": KEYS["the API key"], "BASE_URL": "x"}}},
        {
            "ACCOUNTS": {
                "default": {"API_KEY": "x", "EARLIER_KEY_HASHES": [KEYS["the API key"]]}
            }
        },
        {"WEBHOOK_ENDPOINTS": [{"url": "http://x", "secret": SERVER_KEY}]},
        {"WEBHOOK_ENDPOINTS": [SERVER_KEY]},
        {"WEBHOOK_SECRETS": [SERVER_KEY]},
        {"ENCRYPTION_KEYS": KEYS["the encryption key"]},
        {"FINGERPRINT_KEY": [KEYS["the fingerprint key"]]},
    ):
        before = settings.WAGTAIL_SMARTGIFT
        shop.configure(**wrong)
        for found in run_checks():
            shop.watch.look("output: checks", f"{found} {found.hint}")
        shop.run("smartgift_reconcile")
        shop.api("GET", "health")
        settings.WAGTAIL_SMARTGIFT = before


# -- after buying ----------------------------------------------------------------------


@flow
def a_card_is_printed_and_mailed(shop: Shop) -> None:
    """The buyer's own pages have the number, in groups; nothing else has it."""
    shop.run("smartgift_sync")
    shop.verb(sales.place_order, reference="order-1", **ORDER)
    shop.know_own_numbers()
    client = Client(raise_request_exception=False)
    number = ("the number of item 0 in groups",)
    shop.watch.look("repr: cards", repr(printing.cards_of(reference="order-1")))
    shop.watch.look("repr: sale", repr(printing.purchase_of(reference="order-1")))
    for address in (
        printing.card_url(reference="order-1"),
        printing.pdf_url(reference="order-1"),
    ):
        shop.watch.look("answer: address of a card", address)
        shop.answered("a card", client.get(address), but=number)
        shop.answered("another card", client.get(f"{address}x"))
    shop.pass_time(4000)
    shop.answered("an old card", client.get(printing.card_url(reference="nobody")))
    mail = printing.mail_for(reference="order-1")
    shop.watch.look("repr: mail", f"{mail!r} {mail.subject} {mail.attachments[0][0]}")
    # Whoever opens the mail reads it; a link in it would be read by others.
    shop.watch.look("mail: body", mail.body, but=number)
    shop.watch.look("mail: page", str(mail.alternatives), but=number)

"""Payments in the admin: found, told, exported, and never more than anybody may see."""

import csv
import io
import re
import uuid
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook
from wagtail.log_actions import log

from tests import receivers
from tests.benchmarks import overhead
from tests.factories import make_product
from tests.inbox import ORDER
from wagtail_smartgift import ledger, payments, sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    InboxMessage,
    PaymentSession,
    Redemption,
    VoucherOrder,
    WebhookDelivery,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, reconciliation
from wagtail_smartgift.services.cases import SETTLE_ACTION


pytestmark = pytest.mark.django_db

INDEX = reverse("smartgift_payments:index")
LOOK = "view_paymentsession"


def detail(reference="order-1"):
    session = PaymentSession.objects.get(reference=reference)
    return reverse("smartgift_payments:detail", args=[session.pk])


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def words(answer):
    """Return what a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", text(answer)).split())


def rows(answer):
    """Return an exported CSV as mappings."""
    content = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content)))


@pytest.fixture
def paid(sandbox):
    """An order of £80, £50 of it redeemed from a voucher."""
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    payments.confirm(reference="order-1")
    return PaymentSession.objects.get()


# Who may look


def test_who_may_look(paid, staff):
    for address in (INDEX, detail(), reverse("smartgift_payments:index_results")):
        answer = staff("view_voucherorder", name=f"a{len(address)}").get(address)
        assert (answer.status_code, answer.url) == (302, reverse("wagtailadmin_home"))
        export = staff("view_voucherproduct", name=f"b{len(address)}").get(
            address, {"export": "csv"}
        )
        assert export.status_code == 302
    client = staff(LOOK)
    assert f'"{INDEX}"' in text(client.get("/admin/"))
    for address in (INDEX, detail()):
        assert client.get(address).status_code == 200


def test_a_stranger_is_sent_to_log_in(paid, client):
    for address in (INDEX, detail()):
        assert "login" in client.get(address).url


def test_nothing_is_written_by_looking(paid, staff):
    client = staff(LOOK)
    before = list(PaymentSession.objects.values()), list(Redemption.objects.values())

    for address in (INDEX, detail()):
        client.get(address)
        assert client.post(address).status_code == 405

    assert before == (
        list(PaymentSession.objects.values()),
        list(Redemption.objects.values()),
    )


# The list


def test_amounts_are_those_of_the_api(paid, staff):
    payments.open_session(reference="order-2", amount_due="30.00")
    payments.add_voucher(
        reference="order-2", voucher_no="GOOD-0100-0001", amount="20.00"
    )
    payments.refund(reference="order-1", amount="10.00")
    client = staff(LOOK)

    shown = {
        row["Reference"]: row for row in rows(client.get(INDEX, {"export": "csv"}))
    }

    for session in PaymentSession.objects.all():
        state, row = ledger.describe(session), shown[session.reference]
        assert [
            Decimal(row[name])
            for name in ("Due", "Covered", "Remaining", "Redeemed", "Refunded")
        ] == [
            state.amount_due,
            state.amount_covered,
            state.amount_remaining,
            state.amount_redeemed,
            state.amount_refunded,
        ]
    assert shown["order-1"]["Covered"] == "40.00"
    page = words(client.get(INDEX))
    assert "order-1 Confirmed" in page
    for amount in ("£40.00", "£20.00", "£10.00", "…0001"):
        assert amount in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["order-2", "order-1"]),
        ({"ordering": "reference"}, ["order-1", "order-2"]),
        ({"ordering": "amount_due"}, ["order-2", "order-1"]),
        ({"status": "confirmed"}, ["order-1"]),
        ({"status": "open"}, ["order-2"]),
        ({"q": "ORDER-2"}, ["order-2"]),
        ({"q": "…0001"}, ["order-1"]),
        ({"q": "0001"}, ["order-1"]),
        # A whole number finds nothing: nobody is to put one into an address.
        ({"q": "GOOD-0050-0001"}, []),
        ({"created_at_from": "2001-01-01"}, ["order-2", "order-1"]),
        ({"created_at_to": "2001-01-01"}, []),
        ({"status": "open", "q": "0001"}, []),
    ],
)
def test_the_list_is_searched_filtered_and_ordered(paid, staff, query, found):
    payments.open_session(reference="order-2", amount_due="30.00")
    client = staff(LOOK)

    page = text(client.get(INDEX, query))

    assert re.findall(r">\s*(order-\d)\s*</a>", page) == found
    exported = rows(client.get(INDEX, {**query, "export": "csv"}))
    assert [row["Reference"] for row in exported] == found


def test_accounts_and_sites_are_chosen_where_there_are_several(
    paid, staff, configure, settings
):
    client = staff(LOOK)
    assert 'name="account"' not in text(client.get(INDEX))

    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    configure(ACCOUNTS={**accounts, "quay": {**accounts["default"], "API_KEY": "x"}})

    assert 'name="account"' in text(client.get(INDEX))
    assert "order-1" in text(client.get(INDEX, {"account": "default"}))
    assert "order-1" not in text(client.get(INDEX, {"account": "quay"}))


def test_an_export_has_all_that_is_left_and_no_formula(paid, staff):
    PaymentSession.objects.update(reference="=cmd|1")
    client = staff(LOOK)

    [row] = rows(client.get(INDEX, {"export": "csv"}))
    assert (row["Reference"], row["Status"], row["Vouchers"]) == (
        "'=cmd|1",
        "Confirmed",
        "…0001",
    )
    answer = client.get(INDEX, {"export": "xlsx"})
    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    cells = [[cell.value for cell in line] for line in sheet.iter_rows()]
    assert cells[0][:3] == ["Reference", "Status", "Site"]
    assert cells[1][0] == "'=cmd|1"
    assert cells[1][cells[0].index("Covered")] == 50
    assert re.search(r'"payments-\d{4}-\d\d-\d\d\.xlsx"', answer["Content-Disposition"])


def queries(client, address, query):
    client.get(address, query)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address, query)
        if answer.streaming:
            b"".join(answer.streaming_content)
    return len(captured)


@pytest.mark.parametrize("query", [{}, {"q": "EARS"}, {"export": "csv"}])
@pytest.mark.parametrize(
    ("address", "permission"),
    [
        (INDEX, LOOK),
        (reverse("smartgift_orders:index"), "view_voucherorder"),
    ],
)
def test_a_list_costs_the_same_however_long(sandbox, staff, query, address, permission):
    make_product()
    client = staff(permission)
    overhead.fill(10)
    few = queries(client, address, query)
    overhead.fill(300)

    assert queries(client, address, query) == few
    assert few < 25


@pytest.mark.slow
def test_ten_thousand_are_listed_and_exported(sandbox, staff):
    make_product()
    client = staff(LOOK, "view_voucherorder")
    overhead.fill(10)
    addresses = (INDEX, reverse("smartgift_orders:index"))
    few = [queries(client, address, {}) for address in addresses]
    overhead.fill(10_000)
    # A quarter of those are sales, too.
    VoucherOrder.objects.bulk_create(
        VoucherOrder(reference=f"more-{number}", remote_reference=f"more-{number}")
        for number in range(7_500)
    )

    assert [queries(client, address, {}) for address in addresses] == few
    for address in addresses:
        assert len(rows(client.get(address, {"export": "csv"}))) == 10_000


# The story


def test_the_page_tells_the_whole_story(sandbox, receiver, configure, staff):
    configure(WEBHOOK_ENDPOINTS=[{"url": receiver.url, "secret": receivers.SECRET}])
    receiver.always = receivers.status(410)
    payments.open_session(
        reference="order-1", amount_due="80.00", metadata={"table": "7"}
    )
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    sandbox.faults.add(Fault("redeem", "lost_before", times=None))
    payments.confirm(reference="order-1")
    session = PaymentSession.objects.get()
    reconciliation.reconcile()
    message = InboxMessage.objects.create(
        webhook_id="msg-1",
        type="order.confirmed",
        reference="order-1",
        status="failed",
        code="not_found",
    )
    ann = get_user_model().objects.create_user("ann", first_name="Ann")
    log(instance=session, action="wagtail_smartgift.replay", user=ann)
    client = staff(LOOK, "view_webhookdelivery", "view_inboxmessage")

    page = words(client.get(detail()))

    for line in (
        "Payment opened",
        "Hold, voucher …0001 Succeeded",
        "Check, voucher …0001 Succeeded The voucher held £50.00.",
        "Redeem, voucher …0001 Requested Amount: £50.00.",
        "Redeem, voucher …0001 Unknown",
        "No answer came; it may have been done all the same.",
        "Event voucher.held Told",
        "Webhook voucher.held",
        "The endpoint is gone for good (410)",
        "Message of the shop: Order confirmed Failed Nothing was found at this address.",
        "Replayed a message of the shop",
        "Ann",
        "table 7",
        "Due £80.00",
    ):
        assert line in page, line
    delivery = WebhookDelivery.objects.first()
    html = text(client.get(detail()))
    assert reverse("smartgift_deliveries:inspect", args=[delivery.pk]) in html
    assert reverse("smartgift_inbox:detail", args=[message.pk]) in html
    for secret in ("GOOD-0050", "gAAAA", "hold_token", receivers.SECRET):
        assert secret not in html
    for row in Redemption.objects.all():
        assert row.fingerprint not in html


def test_links_lead_only_where_one_may_go(sandbox, receiver, configure, staff):
    configure(WEBHOOK_ENDPOINTS=[{"url": receiver.url, "secret": receivers.SECRET}])
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    delivery = WebhookDelivery.objects.get()
    sent = reverse("smartgift_deliveries:inspect", args=[delivery.pk])

    assert sent not in text(staff(LOOK).get(detail()))
    client = staff("view_webhookdelivery", name="bob")
    for address in (reverse("smartgift_deliveries:index"), sent):
        assert detail() not in text(client.get(address))
        assert "order-1" in text(client.get(address))
    client = staff("view_webhookdelivery", LOOK, name="cat")
    for address in (reverse("smartgift_deliveries:index"), sent):
        assert detail() in text(client.get(address))


def test_a_message_of_the_shop_leads_to_its_payment(paid, staff):
    def message(**values):
        return reverse(
            "smartgift_inbox:detail",
            args=[InboxMessage.objects.create(status="processed", **values).pk],
        )

    about = message(webhook_id="1", type="order.refunded", reference="order-1")
    nothing = message(webhook_id="2", type="order.refunded", reference="order-9")
    # The reference of a sale is another thing, even if it is the same text.
    sale = message(webhook_id="3", type="order.paid", reference="order-1")

    client = staff("view_inboxmessage", LOOK)
    assert f'<a href="{detail()}">order-1</a>' in text(client.get(about))
    assert detail() not in text(client.get(nothing))
    assert detail() not in text(client.get(sale))
    assert detail() not in text(staff("view_inboxmessage", name="bob").get(about))


@pytest.mark.parametrize(
    ("values", "notice"),
    [
        (
            {"status": "needs_attention", "attention_code": "balance_moved"},
            "Its balance changed while an answer was lost.",
        ),
        ({"account_key_hash": "another"}, "It is left alone."),
        ({"account": "gone"}, "It is left alone."),
    ],
)
def test_what_needs_a_person_stands_on_top(paid, staff, values, notice):
    assert notice not in text(staff(LOOK).get(detail()))
    PaymentSession.objects.update(**values)

    page = words(staff(LOOK, name="bob").get(detail()))

    assert notice in page
    assert page.index(notice) < page.index("This payment")


def test_it_says_what_happens_next(sandbox, staff):
    payments.open_session(reference="order-1", amount_due="80.00")
    client = staff(LOOK)
    assert "until the customer or the shop goes on" in text(client.get(detail()))

    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    assert "Its vouchers are given back at" in text(client.get(detail()))

    sandbox.faults.add(Fault("redeem", "lost_before", times=None))
    payments.confirm(reference="order-1")
    assert "It is taken further at" in text(client.get(detail()))
    PaymentSession.objects.update(next_look_at=None)
    assert "The next sweep takes it further." in text(client.get(detail()))

    PaymentSession.objects.update(status="needs_attention")
    assert "until a person has settled it" in text(client.get(detail()))
    PaymentSession.objects.update(status="cancelled")
    assert "it is over" in text(client.get(detail()))


def test_a_voucher_that_was_sold_here_leads_to_its_order(sandbox, staff):
    catalogue.sync(get_conf().account("default"))
    sales.place_order(reference="sale-1", **ORDER)
    order = VoucherOrder.objects.get()
    number = sales.get_order(reference="sale-1").items[0].voucher_no
    payments.open_session(reference="order-1", amount_due="20.00")
    payments.add_voucher(reference="order-1", voucher_no=number)
    sold = reverse("smartgift_orders:detail", args=[order.pk])

    page = text(staff(LOOK, "view_voucherorder").get(detail()))
    assert f'<a href="{sold}">sale-1</a>' in page
    assert number not in page
    page = text(staff(LOOK, name="bob").get(detail()))
    assert sold not in page
    used = text(staff("view_voucherorder", LOOK, name="cat").get(sold))
    assert f'<a href="{detail()}">order-1</a>' in used
    assert number not in used


def test_the_shops_notes_are_shown_safely(sandbox, staff):
    payments.open_session(
        reference="order-1",
        amount_due="80.00",
        metadata={
            "note": "<script>alert(1)</script>",
            "till": {"voucher": "paid with GOOD-0050-0001, twice", "Api-Key": "sk_1"},
            "client_secret": "abc",
            "long": "x" * 2000,
            "GOOD-0050-0001": 1,
            # The longest names: PostgreSQL keeps short ones first.
            **{f"one-of-many-more-{number}": number for number in range(60)},
        },
    )
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")

    page = text(staff(LOOK).get(detail()))

    assert "&lt;script&gt;alert(1)" in page
    assert "paid with …0001, twice" in page
    assert "x" * 500 + "…" in page
    assert "And 15 more." in page
    for secret in ("GOOD-0050", "sk_1", ">abc<", "x" * 501):
        assert secret not in page


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("Paid with GOOD-0050-0001.", "Paid with …0001."),
        ("voucher=GOOD-0050-0001", "voucher=…0001"),
        ("good 0050 / 0001", "…0001"),
        ("https://shop.example/r/GOOD%2D0050-0001", "https://shop.example/r/…0001"),
        (
            {"parts": ["GOOD", "0050", "0001"]},
            "{&quot;parts&quot;: [&quot;…0001&quot;]}",
        ),
    ],
)
def test_a_number_is_shown_by_its_end_wherever_it_stands(sandbox, staff, note, shown):
    payments.open_session(
        reference="order-1", amount_due="80.00", metadata={"remark": note}
    )
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")

    page = text(staff(LOOK).get(detail()))

    assert shown in page
    assert "0050" not in page


def test_a_number_that_no_key_opens_is_known_by_its_fingerprint(
    sandbox, staff, configure
):
    payments.open_session(
        reference="order-1",
        amount_due="80.00",
        metadata={"remark": "It is GOOD-0050-0001, twice", "figure": 12},
    )
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    configure(ENCRYPTION_KEYS=["another one, and long enough to be a key as well"])

    page = text(staff(LOOK).get(detail()))

    assert "It is …0001, twice" in page
    assert "0050" not in page


def test_a_payment_leads_to_where_something_can_be_done_about_it(paid, staff):
    session = PaymentSession.objects.get(reference="order-1")
    page = reverse("smartgift_payments:detail", args=[session.pk])
    case = reverse("smartgift_attention:payment", args=[session.pk])
    desk = reverse("smartgift_counter:payment", args=[session.pk])
    finance = staff(LOOK, "settle_paymentsession", "desk_redemption")
    assert case not in text(finance.get(page))
    assert desk in text(finance.get(page))

    PaymentSession.objects.update(status="needs_attention", attention_code="refund")

    assert case in text(finance.get(page))
    assert page in text(finance.get(case))
    looker = text(staff(LOOK, name="baker").get(page))
    assert case not in looker
    assert desk not in looker


def test_what_was_refused_at_the_desk_is_not_said_to_be_done(paid, staff):
    client = staff(LOOK, "move_redemption")
    session = PaymentSession.objects.get()
    form = {
        "form_id": str(uuid.uuid4()),
        "reason": "The cake fell down.",
        "refunded_before": "0.00",
        "amount": "50.01",
    }
    client.post(reverse("smartgift_counter:move", args=[session.pk, "refund"]), form)

    page = words(client.get(detail()))

    assert page.count("The cake fell down.") == 1
    told = page[page.index("Voucher desk: ") : page.index("The cake fell down.")]
    assert "Done" not in told
    assert "Asked for something" not in page


def test_what_a_case_came_to_is_told_once(paid, staff):
    session = PaymentSession.objects.get()
    user = get_user_model().objects.create_user("ann", first_name="Ann")
    for verdict, reason in (("redeemed", "I saw it."), ("go_on", "All is well.")):
        data = {"verdict": verdict, "reason": reason}
        log(instance=session, action=SETTLE_ACTION, user=user, data=data)

    page = words(staff(LOOK).get(detail()))

    # The journal tells that of a voucher; nothing else tells the other.
    assert page.count("Settled a case") == 1
    assert "All is well." in page
    assert "I saw it." not in page

"""Needs attention: the lists, the page of a case, and settling it after a second question."""

import csv
import datetime as dt
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.factories import make_product
from tests.money.world import experiences
from wagtail_smartgift import payments
from wagtail_smartgift.choices import AttentionReason, Verdict
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    PaymentSession,
    Redemption,
    RedemptionEvent,
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import evidence
from wagtail_smartgift.services import settling as machine
from wagtail_smartgift.views.desk import case_words


pytestmark = pytest.mark.django_db

HUNDRED = "GOOD-0100-0001"
SETTLE = "settle_paymentsession"
INDEX = reverse("smartgift_attention:index")
ORDERS = reverse("smartgift_attention:orders")


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def detail(session):
    return reverse("smartgift_attention:payment", args=[session.pk])


def settling(row, verdict):
    return reverse("smartgift_attention:settle", args=[row.pk, verdict])


def seen(row):
    row = Redemption.objects.select_related("session").get(pk=row.pk)
    return evidence.of(row).version


@pytest.fixture
def stuck(db, sandbox):
    """A cancelled payment whose voucher Smart Gift does not reverse."""
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED)
    payments.confirm(reference="order-1")
    sandbox.faults.add(Fault(operation="reverse", mode="refused", times=None))
    with pytest.raises(payments.PaymentError):
        payments.cancel(reference="order-1")
    sandbox.faults.clear()
    return Redemption.objects.get()


@pytest.fixture
def unknown_sale(db):
    """An order of which nobody knows whether it was sold."""
    order = VoucherOrder(
        reference="sale-1",
        remote_reference="sale-1",
        status="needs_attention",
        attention_code="sale_unknown",
        sent_at=timezone.now(),
        attempt=1,
        own_codes=False,
        payment_method=12,
        customer={"first_name": "John", "last_name": "Smith", "email": "j@example.org"},
    )
    order.bind_to(get_conf().account("default"))
    order.save()
    VoucherOrderItem.objects.create(
        order=order, position=0, product=make_product(remote_id=37), price="50.00"
    )
    return order


# -- who may -----------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [(), ("view_paymentsession",), (SETTLE,)])
def test_who_may_do_what(staff, stuck, unknown_sale, books, permissions, sandbox):
    client = staff(*permissions)
    may = SETTLE in permissions
    order = reverse("smartgift_attention:order", args=[unknown_sale.pk])
    give_up = reverse(
        "smartgift_attention:settle_order", args=[unknown_sale.pk, "given_up"]
    )
    pages = [
        INDEX,
        ORDERS,
        detail(stuck.session),
        order,
        give_up,
        settling(stuck, "not_reversed"),
    ]

    for page in pages:
        assert (client.get(page).status_code == 200) is may, page
    read = reverse("smartgift_attention:read", args=[stuck.pk])
    asked = len(sandbox.log())
    client.post(read)
    assert (len(sandbox.log()) > asked) is may
    client.post(
        settling(stuck, "not_reversed"), {"seen": seen(stuck), "reason": "Try again."}
    )
    client.post(give_up, {"seen": "0", "reason": "Not there."})

    assert books(HUNDRED) == (0 if may else 30)
    unknown_sale.refresh_from_db()
    assert unknown_sale.status == ("refused" if may else "needs_attention")
    settled = RedemptionEvent.objects.filter(operation="settle").exists()
    assert settled is may


def test_it_needs_a_token_against_forgery(staff, client, stuck, books):
    staff(SETTLE)
    client.handler.enforce_csrf_checks = True

    answer = client.post(
        settling(stuck, "reversed"), {"seen": seen(stuck), "reason": "Done."}
    )

    assert answer.status_code == 403
    stuck.refresh_from_db()
    assert stuck.status == "needs_attention"


# -- the badge ---------------------------------------------------------------------------


def badge(client):
    found = re.search(r"data-smartgift-count[^0-9]*?(\d+)", text(client.get("/admin/")))
    return found and int(found.group(1))


def test_the_menu_counts_what_waits(staff, stuck, unknown_sale):
    client = staff(SETTLE)
    assert badge(client) == 2

    PaymentSession.objects.update(status="confirmed")
    VoucherOrder.objects.update(status="placed")
    assert badge(client) is None


def test_who_may_not_settle_is_told_no_count(staff, stuck):
    assert badge(staff("view_paymentsession")) is None


def test_counting_costs_two_queries_however_much_waits(staff, stuck):
    client = staff(SETTLE)
    client.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/")
    counts = [one["sql"] for one in few if "COUNT(" in one["sql"].upper()]
    ours = [sql for sql in counts if "needs_attention" in sql]
    assert len(ours) == 2


# -- the lists ---------------------------------------------------------------------------


def fill(stuck, count):
    session = stuck.session
    rows = [
        PaymentSession(
            reference=f"case-{number}",
            currency="GBP",
            amount_due="30.00",
            amount_eligible="30.00",
            status="needs_attention",
            attention_code="balance_moved",
            interrupted="confirming",
            last_active_at=timezone.now(),
            account=session.account,
            account_base_url=session.account_base_url,
            account_key_hash=session.account_key_hash,
        )
        for number in range(count)
    ]
    PaymentSession.objects.bulk_create(rows)
    Redemption.objects.bulk_create(
        Redemption(
            session=row,
            position=1,
            fingerprint=row.reference,
            number_encrypted="x",
            display_code="…4711",
            amount="30.00",
            status="needs_attention",
            attention_code="balance_moved",
        )
        for row in rows
    )


@pytest.mark.parametrize("many", [60, pytest.param(10_000, marks=pytest.mark.slow)])
def test_the_list_costs_the_same_however_long(staff, stuck, many):
    client = staff(SETTLE)
    fill(stuck, 3)
    client.get(INDEX)
    with CaptureQueriesContext(connection) as few:
        client.get(INDEX)
    Redemption.objects.filter(session__reference__startswith="case-").delete()
    PaymentSession.objects.filter(reference__startswith="case-").delete()
    fill(stuck, many)
    with CaptureQueriesContext(connection) as found:
        page = text(client.get(INDEX))
    assert len(found) == len(few)
    assert "…4711" in page


def test_the_list_is_searched_and_filtered(staff, stuck):
    fill(stuck, 2)
    client = staff(SETTLE)

    def found(**query):
        page = text(client.get(INDEX, query))
        return [
            one
            for one in ("order-1", "case-0", "case-1")
            if f">{one}<" in re.sub(r"\s+", "", page)
        ]

    assert found() == ["order-1", "case-0", "case-1"]
    assert found(q="order") == ["order-1"]
    assert found(attention_code="balance_moved") == ["case-0", "case-1"]
    assert found(ordering="-reference") is not None
    results = reverse("smartgift_attention:index_results")
    assert client.get(results, {"q": "case"}).status_code == 200


def exported(client, address):
    answer = client.get(address, {"export": "csv"})
    content = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(content.splitlines()))


def test_the_lists_are_exported(staff, stuck, unknown_sale):
    client = staff(SETTLE)

    (payment,) = exported(client, INDEX)
    (order,) = exported(client, ORDERS)

    wanted = {
        "Reference": "order-1",
        "Code": "reverse_refused",
        "Why": "Smart Gift refuses to reverse it.",
        "Vouchers": "…0001",
        "Currency": "GBP",
        "Amount": "30.00",
        "Account": "default",
    }
    assert {name: payment[name] for name in wanted} == wanted
    assert (order["Reference"], order["Amount"]) == ("sale-1", "50.00")
    assert "John" not in str(order)
    for address in (INDEX, ORDERS):
        assert b"".join(client.get(address, {"export": "xlsx"}).streaming_content)


def test_an_amount_is_what_is_in_doubt_and_no_more(staff, stuck):
    """What was redeemed again after a partial refund is not counted twice."""
    Redemption.objects.update(status="reversed", attention_code="")
    PaymentSession.objects.update(attention_code="refund")
    rest = Redemption.objects.get()
    rest.pk, rest.leg, rest.amount, rest.status = uuid.uuid4(), 2, "10.00", "redeemed"
    rest.replaces_id = stuck.pk
    rest._state.adding = True
    rest.save()

    (row,) = exported(staff(SETTLE), INDEX)

    assert (row["Vouchers"], row["Amount"]) == ("…0001", "10.00")


def test_rows_that_are_alike_keep_their_places(staff, stuck):
    fill(stuck, 60)
    PaymentSession.objects.update(updated_at=timezone.now())
    client = staff(SETTLE)

    pages = [client.get(INDEX, {"p": page}).context["object_list"] for page in (1, 2)]

    found = [row.pk for page in pages for row in page]
    assert found == sorted(found)
    assert len(found) == 61


def test_without_payments_the_orders_are_shown(staff, unknown_sale):
    assert staff(SETTLE).get(INDEX).url == ORDERS


# -- a case ------------------------------------------------------------------------------


def test_a_case_says_what_is_known_and_what_to_look_up(staff, stuck):
    page = text(staff(SETTLE).get(detail(stuck.session)))

    assert "Smart Gift refuses to reverse it." in page
    assert "reverse the redemption there" in page
    assert str(stuck.redemption_ids[0]) in page
    assert "…0001" in page
    assert HUNDRED not in page
    for verdict in ("reversed", "not_reversed", "ids_are", "paid_back"):
        assert settling(stuck, verdict) in page
    assert settling(stuck, "redeemed") not in page


def test_every_reason_has_words():
    for reason in AttentionReason:
        assert case_words.look_up(reason).endswith((".", "?"))
        assert case_words.why(reason).endswith(".")


def test_every_sequel_has_words():
    assert set(case_words.SEQUELS) == set(evidence.Sequel)
    assert all(str(said).endswith(".") for said in case_words.SEQUELS.values())


@pytest.mark.parametrize(
    ("minutes", "other", "verdict", "sequel"),
    [
        (1, "", "redeemed", "confirmed"),
        (1, "held", "redeemed", "others_first"),
        (20, "held", "redeemed", "all_undone"),
        (1, "held", "not_redeemed", "redeemed_anew"),
        (20, "redeemed", "not_redeemed", "others_undone"),
        (20, "", "not_redeemed", "too_late"),
    ],
)
def test_what_becomes_of_a_confirmation(stuck, minutes, other, verdict, sequel):
    """What the page says is what the rules of a confirmation do."""
    fill(stuck, 1)
    began = timezone.now() - dt.timedelta(minutes=minutes)
    PaymentSession.objects.update(confirm_began_at=began)
    row = Redemption.objects.get(session__reference="case-0")
    if other:
        Redemption.objects.create(
            session=row.session,
            position=2,
            fingerprint="another",
            number_encrypted="x",
            display_code="…4712",
            amount="10.00",
            status=other,
            proof="balance" if other == "redeemed" else "",
        )
    case = evidence.of(Redemption.objects.select_related("session").get(pk=row.pk))

    assert case.question is evidence.Question.REDEEMED
    assert evidence.sequel_of(case, Verdict(verdict)).value == sequel
    assert str(case_words.SEQUELS[evidence.Sequel(sequel)]) in case_words.consequences(
        case, Verdict(verdict)
    )


def test_what_follows_is_said_before_anything_is_done(staff, stuck, books):
    client = staff(SETTLE)

    page = text(client.get(settling(stuck, "reversed")))

    assert "£30.00 count as given back onto voucher …0001." in page
    assert "The cancellation goes on" in page
    assert books(HUNDRED) == 30
    assert not RedemptionEvent.objects.filter(operation="settle").exists()


def test_a_verdict_is_taken_with_a_reason_and_shown(staff, stuck, books):
    client = staff(SETTLE)
    form = {"seen": seen(stuck), "reason": " "}
    assert "This field is required." in text(
        client.post(settling(stuck, "not_reversed"), form)
    )
    assert books(HUNDRED) == 30

    answer = client.post(
        settling(stuck, "not_reversed"),
        {**form, "reason": "It was blocked."},
        follow=True,
    )

    page = text(answer)
    assert "The payment is settled: Cancelled." in page
    assert "It was blocked." in page
    assert "miller" in page
    assert books(HUNDRED) == 0
    assert settling(stuck, "reversed") not in page


def test_two_people_settle_a_case_once(staff, stuck, books, sandbox):
    shown = seen(stuck)
    first = staff(SETTLE)
    first.post(settling(stuck, "not_reversed"), {"seen": shown, "reason": "Try again."})

    second = staff(SETTLE, name="baker").post(
        settling(stuck, "paid_back"), {"seen": shown, "reason": "Cash."}, follow=True
    )

    assert "Somebody has settled this before you" in text(second)
    assert RedemptionEvent.objects.filter(operation="settle").count() == 1
    assert books(HUNDRED) == 0


def test_ids_are_read_and_wrong_ones_are_not_sent(staff, stuck, sandbox, books):
    client = staff(SETTLE)
    asked = len(sandbox.log())
    form = {"seen": seen(stuck), "reason": "From the dashboard."}

    for wrong in ("", "<1>", "1, 2 & 3"):
        page = text(
            client.post(settling(stuck, "ids_are"), {**form, "redemption_ids": wrong})
        )
        assert "w-field--error" in page
    assert len(sandbox.log()) == asked

    ids = ", ".join(str(one) for one in stuck.redemption_ids)
    client.post(settling(stuck, "ids_are"), {**form, "redemption_ids": ids})

    assert books(HUNDRED) == 0


def test_a_number_in_the_reason_is_refused(staff, stuck, books):
    form = {"seen": seen(stuck), "reason": f"Voucher {HUNDRED} was blocked."}

    page = text(staff(SETTLE).post(settling(stuck, "not_reversed"), form))

    assert "Leave the voucher&#x27;s number out of the reason." in page
    assert books(HUNDRED) == 30


def test_a_number_among_the_ids_is_refused_and_not_shown_again(staff, stuck, books):
    form = {
        "seen": seen(stuck),
        "reason": "Seen.",
        "redemption_ids": f"1, {HUNDRED}",
    }

    page = text(staff(SETTLE).post(settling(stuck, "ids_are"), form))

    assert "This is a voucher&#x27;s number. Enter the redemption ids." in page
    assert HUNDRED not in page
    assert books(HUNDRED) == 30


def test_what_speaks_against_a_verdict_is_said(staff, sandbox):
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED)
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
    payments.confirm(reference="order-1")
    row = Redemption.objects.get()
    machine._to_person(row, "unreachable")
    PaymentSession.objects.update(
        status="needs_attention", attention_code="unreachable", interrupted="confirming"
    )
    client = staff(SETTLE)
    assert "customer&#x27;s money is gone" not in text(
        client.get(settling(row, "not_redeemed"))
    )

    client.post(reverse("smartgift_attention:read", args=[row.pk]))

    assert "customer&#x27;s money is gone" in text(
        client.get(settling(row, "not_redeemed"))
    )
    assert "70.00" in text(client.get(detail(row.session)))


def test_an_unknown_verdict_is_not_found(staff, stuck):
    assert staff(SETTLE).get(settling(stuck, "whatever")).status_code == 404


def test_a_case_that_is_settled_says_so(staff, stuck):
    PaymentSession.objects.update(status="cancelled")
    Redemption.objects.update(status="reversed")

    page = text(staff(SETTLE).get(detail(stuck.session)))

    assert "nobody has to decide anything" in page


def test_a_payment_in_which_nothing_is_in_doubt_can_go_on(staff, stuck, books):
    """Somebody has put the row right with a database shell."""
    Redemption.objects.update(status="redeemed", attention_code="")
    RedemptionEvent.objects.create(
        redemption=stuck, operation="settle", outcome="succeeded", status="redeemed"
    )
    client = staff(SETTLE)
    go_on = reverse("smartgift_attention:go_on", args=[stuck.session.pk])
    assert go_on in text(client.get(detail(stuck.session)))
    version = PaymentSession.objects.get().version
    assert "It goes on by the rules." in text(client.get(go_on))

    answer = client.post(go_on, {"seen": version, "reason": "Mended."}, follow=True)

    assert "The payment is settled: Cancelled." in text(answer)
    assert books(HUNDRED) == 0
    again = client.post(go_on, {"seen": version, "reason": "Again."}, follow=True)
    assert "Somebody has settled this before you" in text(again)


# -- voucher orders ------------------------------------------------------------------------


def order_url(order, verdict=None):
    if verdict is None:
        return reverse("smartgift_attention:order", args=[order.pk])
    return reverse("smartgift_attention:settle_order", args=[order.pk, verdict])


def test_a_sale_was_made(staff, unknown_sale):
    client = staff(SETTLE)
    page = text(client.get(order_url(unknown_sale)))
    assert "Search Smart Gift&#x27;s dashboard" in page
    assert "John" not in page
    form = {
        "seen": unknown_sale.version,
        "reason": "It is there.",
        "order_number": "SG-77",
        "number_0": "NEW-VOUCHER-1",
    }

    client.post(order_url(unknown_sale, "sold"), form)

    unknown_sale.refresh_from_db()
    assert (unknown_sale.status, unknown_sale.order_id) == ("placed", "SG-77")
    item = unknown_sale.items.get()
    assert item.display_code == "…ER-1"
    assert "NEW-VOUCHER" not in item.number_encrypted
    event = VoucherOrderEvent.objects.get(operation="settle")
    assert (event.actor, event.note, event.reason) == ("miller", "It is there.", "sold")
    assert "NEW-VOUCHER-1" not in text(client.get(order_url(unknown_sale)))


def test_a_number_that_was_typed_is_not_shown_again(staff, unknown_sale):
    form = {"seen": "0", "reason": "", "number_0": "NEW-VOUCHER-1"}

    page = text(staff(SETTLE).post(order_url(unknown_sale, "sold"), form))

    assert "NEW-VOUCHER-1" not in page


def test_a_second_word_about_a_sale_does_nothing(staff, unknown_sale):
    client = staff(SETTLE)
    form = {"seen": unknown_sale.version, "reason": "Gone."}
    client.post(order_url(unknown_sale, "given_up"), form)

    answer = client.post(order_url(unknown_sale, "sold"), form, follow=True)

    assert "Somebody has settled this before you" in text(answer)
    unknown_sale.refresh_from_db()
    assert unknown_sale.status == "refused"


def test_the_verdicts_that_a_view_offers_have_words():
    for verdict in (
        Verdict.SOLD,
        Verdict.NOT_SOLD,
        Verdict.GIVEN_UP,
        Verdict.LOOK_AGAIN,
    ):
        assert str(case_words.ORDER_CONSEQUENCES[verdict]).endswith(".")


# -- what people decide by -----------------------------------------------------------------

NOON = dt.datetime(2026, 7, 1, 12, 0, 30, tzinfo=dt.timezone.utc)


def test_times_are_local_and_to_the_second(staff, stuck, unknown_sale, settings):
    """What the dashboard is searched for must not be an hour off all summer."""
    settings.TIME_ZONE = "Europe/London"
    Redemption.objects.update(sent_at=NOON, held_until=NOON + dt.timedelta(minutes=5))
    VoucherOrder.objects.update(sent_at=NOON, created_at=NOON)
    client = staff(SETTLE)

    payment = text(client.get(detail(stuck.session)))
    order = text(client.get(order_url(unknown_sale)))

    assert "13:00:30" in payment
    assert "13:05:30" in payment
    assert order.count(" 13:00:30</time>") == 2
    for page in (payment, order):
        assert "12:00:30" not in page
        assert "noon" not in page


@pytest.fixture
def tea(db, sandbox, configure):
    """A voucher of two experiences, of which one is redeemed; nobody knows whether."""
    configure(EXPERIENCE_VALUE="tests.money.world.worth")
    sandbox.add_voucher("TEA-FOR-TWO", experiences=experiences())
    payments.open_session(reference="tea-1", amount_due="30.00")
    payments.add_voucher(reference="tea-1", voucher_no="TEA-FOR-TWO", experiences=[1])
    row = Redemption.objects.get()
    machine._to_person(row, "balance_moved")
    PaymentSession.objects.update(
        status="needs_attention",
        attention_code="balance_moved",
        interrupted="confirming",
    )
    return row


def test_an_experience_is_decided_about_by_its_names(staff, tea):
    """What Smart Gift calls its balance is a sum of flags, and no money."""
    bits = {one["bit_value"]: one["name"] for one in tea.experiences_available}
    everything = sum(bits)
    Redemption.objects.update(baseline=everything, sent_at=NOON)
    journal_of(tea, balance=everything - 1)

    page = text(staff(SETTLE).get(detail(tea.session)))

    facts = page[page.index("What is known") : page.index("What happened?")]
    assert bits[1] in facts
    assert all(name in facts for name in bits.values())
    for flags in (everything, everything - 1):
        assert f"{flags}.00" not in facts
    assert "of exactly these experiences" in page
    assert "of exactly this amount" not in page


def journal_of(row, *, balance):
    RedemptionEvent.objects.create(
        redemption=row,
        operation="check",
        outcome="succeeded",
        status=row.status,
        balance=balance,
    )


def test_balances_are_told_with_their_currency(staff, stuck):
    PaymentSession.objects.update(currency="EUR")
    Redemption.objects.update(baseline="100.00", sent_at=NOON)
    journal_of(stuck, balance="70.00")

    page = text(staff(SETTLE).get(detail(stuck.session)))

    facts = page[page.index("What is known") : page.index("What happened?")]
    for amount in ("€30.00", "€100.00", "€70.00"):
        assert amount in facts
    assert "£" not in page


def test_an_order_keeps_its_currency(staff, unknown_sale):
    VoucherOrder.objects.update(currency="EUR")
    client = staff(SETTLE)

    for page in (text(client.get(order_url(unknown_sale))), text(client.get(ORDERS))):
        assert "€50.00" in page
        assert "£" not in page

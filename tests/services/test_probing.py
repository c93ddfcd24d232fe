"""The probe against every answer that a Smart Gift may give: what it stores, and that
it gives back what it took, whatever goes wrong on the way.
"""

import ast
import itertools
import re
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from wagtail_smartgift import budget, capabilities, payments
from wagtail_smartgift.capabilities import ANSWERS, Capabilities
from wagtail_smartgift.client import SaleCustomer, SaleDelivery, SmartGiftClient
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import CapabilityRecord, Redemption
from wagtail_smartgift.sandbox import Behaviour, Fault
from wagtail_smartgift.services import probing
from wagtail_smartgift.services.probing import QUESTIONS, NotProbed, Scope
from wagtail_smartgift.testing import running_sandbox


pytestmark = pytest.mark.django_db

NUMBER = "GOOD-0100-0001"
#: What a run without options finds at a sandbox as it comes.
USUAL = {
    "check_while_held": True,
    "held_until": "aware",
    "held_until_offset": None,
    "hold_seconds": 300,
    "second_hold_refused": True,
    "missing_token_refused": True,
    "old_token_refused": True,
    "released_token_refused": True,
    "used_token_refused": True,
    "expired_token_refused": None,
    "redeem_ends_hold": True,
    "second_reversal_refused": True,
    "own_codes": "",
    "code_checkable_at_once": None,
    "duplicate_reference": "",
    "duplicate_code": "",
    "rate_limit": None,
    "window_seconds": None,
    "refusals_count": None,
    "reset_always": False,
}
SALE = probing.Sale(
    product=37,
    price=Decimal("10.00"),
    persons=None,
    customer=SaleCustomer(
        first_name="Ada",
        last_name="Byron",
        email="ada@example.org",
        address1="1 Mill Lane",
        city="Bath",
        postcode="BA1 1AA",
    ),
    delivery=SaleDelivery(method="1", price=Decimal("0.00")),
    payment_method=12,
)


@pytest.fixture
def probe(sandbox):
    """Return a function that makes a run; waiting moves Smart Gift's clock."""

    def run(number=NUMBER, site_id="1", tell=lambda _progress: None, **scope):
        return probing.probe(
            account=get_conf().account("default"),
            site_id=site_id,
            voucher_no=number,
            scope=Scope(**scope),
            tell=tell,
            sleep=sandbox.clock.advance,
        )

    return run


def answers(report):
    """Return the answers as they are stored, which are those of the report."""
    stored = CapabilityRecord.objects.get(pk=report.record.pk)
    found = {name: getattr(stored, name) for name in ANSWERS}
    assert found == {name: getattr(report.record, name) for name in ANSWERS}
    return found


def everything_is_back(report):
    return report.missing == 0 and not report.record.owed and not report.in_doubt


def is_back(sandbox, number=NUMBER):
    """Tell whether nothing is redeemed of a voucher, and nobody holds it."""
    return (
        all(one.reversed_at is not None for one in sandbox.redemptions(number))
        and sandbox.voucher(number).hold is None
    )


def strike(sandbox, number, **fault):
    """Let something go wrong with the call of that number, of whatever kind it is."""
    counter, take = itertools.count(1), sandbox.faults.take

    def nth(operation, voucher_no):
        if next(counter) == number:
            return Fault(**fault)
        return take(operation, voucher_no)

    sandbox.faults.take = nth


# Answers


def test_a_run_answers_and_gives_everything_back(probe, sandbox):
    report = probe()

    assert answers(report) == USUAL
    assert everything_is_back(report)
    assert (report.skipped, report.orders) == ((), ())
    assert sandbox.voucher(NUMBER).balance == 100
    assert is_back(sandbox)
    assert sandbox.redemptions(NUMBER)
    assert len(sandbox.log()) == 24


def test_questions_are_asked_of_each_answer_once():
    assert sorted(question.name for question in QUESTIONS) == sorted(ANSWERS)


def test_each_answer_is_gone_by_or_said_to_be_for_information():
    """An answer that promises something and that nobody reads would be a lie."""
    package = Path(capabilities.__file__).parent
    tree = ast.parse(Path(capabilities.__file__).read_text("utf-8"))
    gone_by = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    for file in (package / "services").glob("*.py"):
        gone_by |= set(re.findall(r"\bknown\.(\w+)", file.read_text("utf-8")))

    # What is alarming the doctor goes by.
    gone_by |= {question.name for question in QUESTIONS if question.alarming}

    for question in QUESTIONS:
        assert question.for_information is (question.name not in gone_by), question.name
        told = question.consequence(None)
        assert told.startswith("For information.") is question.for_information


@pytest.mark.parametrize(
    ("behaviour", "changed"),
    [
        ({"check_while_held": False}, {
            "check_while_held": False, "held_until": "", "hold_seconds": None,
        }),
        ({"held_until": "offset"}, {}),
        ({"held_until": "naive"}, {"held_until": "naive", "held_until_offset": 0}),
        ({"held_until": "naive_local"}, {
            "held_until": "naive", "held_until_offset": 60,
        }),
        ({"held_until": "absent"}, {"held_until": "absent", "hold_seconds": None}),
        ({"docs_version": "V1"}, {"held_until": "absent", "hold_seconds": None}),
        ({"hold_seconds": 240}, {"hold_seconds": 240}),
        ({"hold_seconds": 120, "held_until": "naive_local"}, {
            "hold_seconds": 120, "held_until": "naive", "held_until_offset": 60,
        }),
        ({"second_hold": "take_over"}, {"second_hold_refused": False}),
        ({"redeem_needs_token_while_held": False}, {"missing_token_refused": False}),
        ({"wrong_token_refused": False}, {"old_token_refused": False}),
        ({"redeem_ends_hold": False}, {
            "redeem_ends_hold": False, "used_token_refused": None,
        }),
        ({"dead_token_accepted": True}, {
            "released_token_refused": False, "used_token_refused": False,
        }),
        ({"reverse_twice": "accept"}, {"second_reversal_refused": False}),
        ({"reverse_while_held": False}, {}),
        ({"rate_limit": 100}, {"rate_limit": 100, "refusals_count": True}),
        ({"rate_limit": 100, "refusals_count": False}, {
            "rate_limit": 100, "refusals_count": False,
        }),
        ({"rate_limit": 100, "reset_header_always": True}, {
            "rate_limit": 100, "refusals_count": True, "reset_always": True,
        }),
    ],
    ids=lambda values: " ".join(f"{k}={v}" for k, v in values.items()),
)  # fmt: skip
def test_each_answer_is_seen(probe, sandbox, behaviour, changed):
    sandbox.behaviour.update(behaviour)

    report = probe()

    found = answers(report)
    expected = {**USUAL, **changed}
    # Read off the end of the hold, so a second more or less on a busy machine.
    read, real = found.pop("hold_seconds"), expected.pop("hold_seconds")
    assert read == real or abs(read - real) <= 2
    assert found == expected
    assert everything_is_back(report)
    assert is_back(sandbox)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"redeem_needs_token_while_held": False, "wrong_token_refused": False},
        {"redeem_needs_token_while_held": False, "redeem_ends_hold": False},
        {"wrong_token_refused": False, "dead_token_accepted": True},
        {"dead_token_accepted": True, "redeem_ends_hold": False},
        {"second_hold": "take_over", "wrong_token_refused": False},
    ],
    ids=lambda values: " ".join(values),
)
def test_answers_do_not_hide_one_another(probe, sandbox, behaviour):
    sandbox.behaviour.update(behaviour)

    found = answers(probe())

    truth = sandbox.behaviour
    assert found["missing_token_refused"] == truth.redeem_needs_token_while_held
    assert found["old_token_refused"] == truth.wrong_token_refused
    assert found["redeem_ends_hold"] == truth.redeem_ends_hold
    assert found["released_token_refused"] != truth.dead_token_accepted
    assert found["second_hold_refused"] == (truth.second_hold == "refuse")
    assert is_back(sandbox)


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("style", ["utc", "absent"])
def test_an_expired_token(probe, sandbox, style, accepted):
    sandbox.behaviour.update({"dead_token_accepted": accepted, "held_until": style})
    began = sandbox.clock.now()

    report = probe(wait=True)

    assert answers(report)["expired_token_refused"] is not accepted
    assert sandbox.clock.now() - began > 300
    assert is_back(sandbox)


def test_a_hold_that_is_not_over_says_nothing_of_expired_tokens(probe, sandbox):
    sandbox.behaviour.hold_seconds = 400
    sandbox.behaviour.held_until = "absent"
    sandbox.behaviour.dead_token_accepted = False

    # Not shown, so the token of a living hold is taken for one that is over: accepted.
    assert answers(probe(wait=True))["expired_token_refused"] is False


# What goes wrong


@pytest.mark.parametrize("mode", ["lost_before", "lost_after", "status", "refused"])
@pytest.mark.parametrize("number", range(2, 25))
def test_one_call_that_goes_wrong_makes_no_answer_wrong(probe, sandbox, number, mode):
    """Whatever happens to whichever call: an answer is true, or it is not known."""
    sandbox.behaviour.dead_token_accepted = True
    truth = {**USUAL, "released_token_refused": False, "used_token_refused": False}
    strike(sandbox, number, operation="*", mode=mode)

    report = probe()

    wrong = {
        name: answer
        for name, answer in answers(report).items()
        if answer not in (None, "", truth[name])
    }
    # What is refused once where it never is cannot be told from a rule.
    once = (
        {"check_while_held", "second_reversal_refused"} if mode == "refused" else set()
    )
    assert set(wrong) <= once
    _see_that_the_report_knows(report, sandbox)


@pytest.mark.parametrize("mode", ["lost_before", "lost_after", "refused"])
@pytest.mark.parametrize("number", range(2, 25))
def test_no_refusal_is_believed_without_need(probe, sandbox, number, mode):
    """The other way round: nobody takes a fence for porous because a call was lost."""
    strike(sandbox, number, operation="*", mode=mode)

    report = probe()

    found = answers(report)
    for name in (
        "released_token_refused",
        "old_token_refused",
        "missing_token_refused",
    ):
        assert found[name] in (True, None)
    _see_that_the_report_knows(report, sandbox)


def _see_that_the_report_knows(report, sandbox):
    """Hold the report against the sandbox's books."""
    missing = 100 - sandbox.voucher(NUMBER).balance
    assert report.missing in (None, missing)
    if missing:
        assert report.in_doubt or report.record.owed
    if sandbox.voucher(NUMBER).hold is not None:
        assert report.lost_hold


def test_a_key_that_is_withdrawn_meanwhile_stops_it_and_the_next_run_gives_back(
    probe, sandbox
):
    counter = itertools.count(1)
    sandbox.faults.take = lambda *_call: (
        Fault(mode="unauthorised") if next(counter) > 17 else None
    )

    report = probe()

    assert not everything_is_back(report)
    assert report.missing is None
    assert len(report.record.owed) == 1
    assert "API_KEY" in report.skipped[0]
    assert answers(report)["released_token_refused"] is True

    del sandbox.faults.take
    sandbox.clock.advance(301)
    assert everything_is_back(probe())
    assert sandbox.voucher(NUMBER).balance == 100
    assert is_back(sandbox)
    assert not CapabilityRecord.objects.exclude(owed=[]).exists()


def test_a_run_that_is_interrupted_gives_everything_back(probe, sandbox):
    def lose_patience(progress):
        if "reversals" in progress:
            raise KeyboardInterrupt

    report = probe(tell=lose_patience)

    assert report.interrupted
    assert everything_is_back(report)
    assert "stopped" in report.skipped[-1]
    assert is_back(sandbox)
    assert sandbox.voucher(NUMBER).balance == 100
    assert answers(report)["redeem_ends_hold"] is True


@pytest.mark.parametrize(
    ("number", "answered"),
    [
        *((number, True) for number in range(2, 30)),
        *((number, False) for number in range(2, 30, 5)),
    ],
)
def test_whenever_it_is_interrupted_the_report_knows(
    probe, sandbox, monkeypatch, number, answered
):
    """Ctrl-C before a request leaves, or once it is applied and before it is answered."""
    counter, send = itertools.count(1), SmartGiftClient._exchange

    def interrupted(client, *args, **kwargs):
        this = next(counter)
        if this == number and not answered:
            raise KeyboardInterrupt
        try:
            return send(client, *args, **kwargs)
        finally:
            if this == number:
                raise KeyboardInterrupt

    monkeypatch.setattr(SmartGiftClient, "_exchange", interrupted)

    report = probe(sale=SALE)

    assert report.interrupted is (next(counter) > number)
    _see_that_the_report_knows(report, sandbox)
    told = " ".join((*report.orders, *report.skipped))
    for sale in sandbox.sales():
        assert sale.order_id in told or sale.reference in told


def test_a_second_ctrl_c_leaves_what_is_owed_in_the_record(probe, sandbox):
    def lose_all_patience(progress):
        if "reversals" in progress or "back" in progress:
            raise KeyboardInterrupt

    report = probe(tell=lose_all_patience)

    assert (report.interrupted, report.missing) == (True, None)
    assert CapabilityRecord.objects.get().owed == report.record.owed != []
    sandbox.clock.advance(301)
    assert everything_is_back(probe())
    assert sandbox.voucher(NUMBER).balance == 100


def test_a_run_that_was_killed_is_made_up_for_after_a_change_of_the_key(
    probe, sandbox, configure
):
    """What is owed to a voucher is found whatever FINGERPRINT_KEY is now."""

    def die(progress):
        if "reversals" in progress or "back" in progress:
            raise SystemExit

    with pytest.raises(SystemExit):
        probe(tell=die)
    assert sandbox.voucher(NUMBER).balance < 100
    configure(FINGERPRINT_KEY="another fingerprint key for tests, and as long")
    call_command("smartgift_rekey", stdout=StringIO())
    sandbox.clock.advance(301)

    probe()

    assert sandbox.voucher(NUMBER).balance == 100
    assert not CapabilityRecord.objects.exclude(owed=[]).exists()


def test_a_refusal_that_the_control_shares_is_not_believed(probe, sandbox):
    """Where nothing can be redeemed, a dead token's refusal says nothing."""
    sandbox.faults.add(Fault(operation="redeem", mode="refused", times=None))

    found = answers(probe())

    assert found["check_while_held"] is True
    for name in ("missing", "old", "released", "used", "expired"):
        assert found[f"{name}_token_refused"] is None
    assert found["redeem_ends_hold"] is None


def test_a_full_quota_is_waited_for(probe, sandbox):
    sandbox.faults.add(Fault(operation="redeem", mode="rate_limited", seconds=7))
    began = sandbox.clock.now()

    assert answers(probe()) == USUAL
    assert sandbox.clock.now() - began >= 7


@pytest.mark.parametrize(
    ("number", "site_id", "why"),
    [
        ("NO-SUCH-VOUCHER", "1", "refuses that voucher"),
        ("EXPIRED-0025-0001", "1", "refuses that voucher"),
        ("HELD-0050-0001", "1", "holds that voucher"),
        ("TEA-0002-0001", "1", "no monetary voucher"),
        ("PENNY-0001", "1", "too little"),
        (NUMBER, "99", "site number"),
        (" ", "1", "no voucher number"),
        ("X" * 65, "1", "no voucher number"),
    ],
)
def test_a_voucher_that_will_not_do(probe, sandbox, number, site_id, why):
    with pytest.raises(NotProbed, match=why) as refusal:
        probe(number, site_id)

    assert number.strip() not in str(refusal.value) or not number.strip()
    assert {line.operation for line in sandbox.log()} <= {"check"}
    assert not CapabilityRecord.objects.exists()


@pytest.mark.parametrize(
    ("mode", "why"), [("unauthorised", "API_KEY"), ("status", "did not answer")]
)
def test_a_smart_gift_that_cannot_be_asked(probe, sandbox, mode, why):
    sandbox.faults.add(Fault(operation="*", mode=mode, times=None))

    with pytest.raises(NotProbed, match=why):
        probe()

    assert not CapabilityRecord.objects.exists()


def test_a_voucher_that_pays_for_an_order_here(probe, sandbox):
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no=NUMBER)
    calls = len(sandbox.log())

    with pytest.raises(NotProbed, match="payment of this shop"):
        probe()

    assert len(sandbox.log()) == calls
    assert Redemption.objects.get().status == "held"


# Sales


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("own", ["honour", "ignore", "refuse"])
def test_numbers_of_our_own(probe, sandbox, own, at_once, echo, wait):
    sandbox.behaviour.update(
        {
            "own_codes": own,
            "new_code_checkable_at_once": at_once,
            "sales_echo_codes": echo,
        }
    )

    report = probe(sale=SALE, wait=wait)

    found = answers(report)
    known = at_once or echo or wait
    assert (
        found["own_codes"]
        == {
            "honour": "honoured" if known else "",
            "ignore": "ignored" if echo or wait else "",
            "refuse": "refused",
        }[own]
    )
    if own == "honour":
        assert found["code_checkable_at_once"] is (at_once if known else None)
    else:
        assert found["code_checkable_at_once"] is None
    assert set(report.orders) == {sale.order_id for sale in sandbox.sales()}
    assert 1 <= len(report.orders) <= probing.MOST_ORDERS
    assert is_back(sandbox)


@pytest.mark.parametrize("code", ["refuse", "replace"])
@pytest.mark.parametrize("reference", ["refuse", "rename", "repeat", "echo"])
def test_references_and_numbers_that_are_taken(probe, sandbox, reference, code):
    sandbox.behaviour.update({"duplicate_reference": reference, "duplicate_code": code})

    report = probe(sale=SALE)

    found = answers(report)
    assert found["duplicate_reference"] == {
        "refuse": "refused", "rename": "renamed", "repeat": "repeated", "echo": "renamed"
    }[reference]  # fmt: skip
    assert found["duplicate_code"] == {"refuse": "refused", "replace": "replaced"}[code]
    orders = 1 + (reference in {"rename", "echo"}) + (code == "replace")
    assert len(report.orders) == len(sandbox.sales()) == orders


@pytest.mark.parametrize("reference", ["repeat", "echo"])
@pytest.mark.parametrize(
    ("own", "at_once", "wait", "known"),
    [
        ("honour", True, False, True),
        ("honour", False, True, True),
        ("honour", False, False, False),
        ("ignore", True, True, False),
        ("refuse", True, True, False),
    ],
)
def test_the_same_order_number_alone_is_no_proof_of_the_same_order(
    probe, sandbox, reference, own, at_once, wait, known
):
    """Only the second voucher's own number tells an echo from the first order again."""
    sandbox.behaviour.update(
        {
            "duplicate_reference": reference,
            "duplicate_code": "replace",
            "own_codes": own,
            "new_code_checkable_at_once": at_once,
            "sales_echo_codes": True,
        }
    )

    found = answers(probe(sale=SALE, wait=wait))

    words = {"repeat": "repeated", "echo": "renamed"}
    assert found["duplicate_reference"] == (words[reference] if known else "")
    may_sell_again = capabilities.of(get_conf().account("default")).may_sell_again
    assert may_sell_again is (known and at_once and reference == "repeat")


@pytest.mark.parametrize("mode", ["lost_before", "lost_after", "refused"])
@pytest.mark.parametrize("number", range(25, 30))
def test_a_sale_that_goes_wrong_makes_no_answer_wrong(probe, sandbox, number, mode):
    strike(sandbox, number, operation="*", mode=mode)
    truth = {
        **USUAL,
        "own_codes": "honoured",
        "code_checkable_at_once": True,
        "duplicate_reference": "refused",
        "duplicate_code": "refused",
    }

    report = probe(sale=SALE)

    assert all(
        answer in (None, "", truth[name]) for name, answer in answers(report).items()
    )
    assert len(sandbox.sales()) <= probing.MOST_ORDERS
    assert is_back(sandbox)


def test_an_order_that_is_refused_is_told(probe, sandbox):
    report = probe(sale=probing.Sale(**{**vars(SALE), "price": Decimal("10.01")}))

    assert "refused" in report.skipped[0]
    assert sandbox.sales() == []
    assert "ada@example.org" not in str(report.record.steps)


# The quota


def test_the_length_of_a_window(configure):
    with running_sandbox(behaviour=Behaviour(rate_limit=30, rate_window=3)) as sandbox:
        configure(
            ACCOUNTS={
                "default": {
                    "API_KEY": "sk_sandbox",
                    "BASE_URL": get_conf().account("default").base_url,
                    "SITE_ID": "1",
                }
            },
            RATE_LIMIT=30,
        )
        report = probing.probe(
            account=get_conf().account("default"),
            site_id="1",
            voucher_no=NUMBER,
            scope=Scope(quota=True),
        )

        assert answers(report)["window_seconds"] in (2, 3, 4)
        assert answers(report)["rate_limit"] == 30
        assert is_back(sandbox)


def test_no_limit_is_no_window(probe, sandbox):
    report = probe(quota=True)

    assert answers(report)["window_seconds"] is None
    assert "no limit" in report.skipped[0]


def test_customers_go_first(probe, sandbox, configure):
    sandbox.behaviour.rate_limit = 60
    configure(RATE_LIMIT=60)

    assert everything_is_back(probe())

    money, checkout, lookup, catalogue = budget.status(
        get_conf().account("default")
    ).lanes
    assert catalogue > 10
    assert (checkout, lookup) == (0, 0)
    # Giving back is money in flight, like anybody else's.
    assert 0 < money < 8


# What counts


def test_nothing_secret_is_stored(probe, sandbox, caplog):
    caplog.set_level("DEBUG")
    report = probe(sale=SALE)

    secrets = {NUMBER, "sk_sandbox", *sandbox.sales()[0].vouchers} | {
        str(value)
        for line in sandbox.log()
        for value in {**line.request, **(line.answer or {})}.values()
        if "hold_token_" in str(value)
    }
    record = CapabilityRecord.objects.values().get()
    assert len(secrets) > 5
    for secret in secrets:
        assert secret not in f"{record} {report} {caplog.text}"


def test_nothing_is_known_without_a_record(db):
    found = capabilities.of(get_conf().account("default"))

    assert found == Capabilities()
    assert not found.fence_holds
    assert not found.may_sell_again
    assert not found.holds_are_porous
    assert found.takes_own_codes


def test_the_newest_answer_to_each_question_counts(probe, sandbox):
    probe(sale=SALE)
    CapabilityRecord.objects.update(probed_at=timezone.now() - timedelta(days=30))
    sandbox.behaviour.dead_token_accepted = True
    probe()

    found = capabilities.of(get_conf().account("default"))

    assert found.released_token_refused is False
    assert found.own_codes == "honoured"


def test_a_record_is_not_believed_for_ever(probe):
    probe()
    account = get_conf().account("default")
    assert capabilities.of(account).fence_holds
    assert capabilities.is_fresh(capabilities.last_probed(account))

    CapabilityRecord.objects.update(probed_at=timezone.now() - timedelta(days=90))

    assert capabilities.of(account) == Capabilities()
    assert not capabilities.is_fresh(capabilities.last_probed(account))


def test_a_record_from_the_future_is_not_believed(probe):
    probe()
    CapabilityRecord.objects.update(probed_at=timezone.now() + timedelta(days=1))

    assert capabilities.of(get_conf().account("default")) == Capabilities()


@pytest.mark.parametrize(
    "changed",
    [{"API_KEY": "sk_sandbox_quay"}, {"BASE_URL": "http://127.0.0.1:9"}],
)
def test_a_record_of_another_key_or_address_is_not_believed(
    probe, settings, configure, changed
):
    probe()
    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    configure(ACCOUNTS={"default": {**accounts["default"], **changed}})

    account = get_conf().account("default")
    assert capabilities.of(account) == Capabilities()
    assert capabilities.last_probed(account) is None


def test_a_run_that_learnt_nothing_is_no_record(probe, sandbox):
    strike(sandbox, 2, mode="unauthorised")
    probe()

    assert CapabilityRecord.objects.exists()
    assert capabilities.last_probed(get_conf().account("default")) is None

"""``smartgift_probe`` as an operator sees it: what it says, asks first, and refuses."""

import io
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.management.commands import smartgift_probe
from wagtail_smartgift.models import CapabilityRecord
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue
from wagtail_smartgift.services.probing import QUESTIONS, of_tokens
from wagtail_smartgift.services.probing import run as probing_run


pytestmark = pytest.mark.django_db

NUMBER = "GOOD-0100-0001"
REAL = {
    "API_KEY": "sk_real",
    "BASE_URL": "https://api.smart-gift.co.uk",
    "SITE_ID": "1",
}


def run(*arguments, number=NUMBER):
    out, err = StringIO(), StringIO()
    failure = ""
    try:
        call_command("smartgift_probe", number, *arguments, stdout=out, stderr=err)
    except CommandError as error:
        failure = str(error)
    return out.getvalue(), err.getvalue(), failure


def test_each_question_has_a_line_and_what_follows(sandbox):
    out, err, failure = run("--yes")

    assert (err, failure) == ("", "")
    for question in QUESTIONS:
        assert out.count(question.text) == 1
    lines = out.splitlines()
    at = lines.index("Is a redeem with the token of a released hold refused? Yes.")
    assert "70 seconds" in lines[at + 1]
    assert "What becomes of a voucher number of our own in a sale? Not known." in lines
    assert "How long does a hold last? 300 seconds." in lines
    assert lines[-1] == "Everything was given back."
    assert NUMBER not in out
    assert "hold_token_" not in out
    assert sandbox.voucher(NUMBER).balance == 100


def test_an_alarming_answer_says_what_it_means(sandbox):
    sandbox.behaviour.redeem_needs_token_while_held = False

    out, _err, _failure = run("--yes")

    assert "while the voucher is held? No.\n    Holds keep nobody out" in out


def test_it_says_what_it_will_do_and_does_nothing_unasked(sandbox):
    out, _err, failure = run()

    assert "up to 8 times 0.01 is redeemed and reversed" in out
    assert failure == "Nothing was done. Pass --yes to go on."
    assert sandbox.log() == []
    assert not CapabilityRecord.objects.exists()


@pytest.mark.parametrize(
    ("typed", "goes_on"), [("yes", True), ("y", False), ("", False)]
)
def test_somebody_at_a_terminal_is_asked(sandbox, monkeypatch, typed, goes_on):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _prompt: typed)

    _out, _err, failure = run()

    assert failure == ("" if goes_on else "Nothing was done.")
    assert bool(sandbox.log()) is goes_on


def test_the_number_may_come_from_standard_input(sandbox, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NUMBER}\n"))
    _out, _err, failure = run("--yes", number="-")
    assert failure == ""

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    _out, _err, failure = run("--yes", number="-")
    assert failure == "There is no voucher number."


@pytest.mark.parametrize(
    "url", ["https://api.smart-gift.co.uk", "https://gateway.example"]
)
def test_real_vouchers_need_a_word_of_their_own(db, configure, url):
    configure(ACCOUNTS={"default": {**REAL, "BASE_URL": url}})

    out, _err, failure = run("--yes")

    assert "--production" in failure
    assert url in failure
    assert out == ""


def test_production_lets_real_vouchers_be_probed(db, configure):
    # Nothing is called: the answer to "shall I go on" is no.
    configure(ACCOUNTS={"default": REAL})

    out, _err, failure = run("--production")

    assert "api.smart-gift.co.uk" in out
    assert failure == "Nothing was done. Pass --yes to go on."


def test_the_quota_of_production_is_not_used_up(db, configure):
    configure(ACCOUNTS={"default": REAL})

    _out, _err, failure = run("--production", "--quota", "--yes")

    assert "--quota" in failure


def test_orders_are_announced_before_they_are_placed(sandbox):
    account = get_conf().account("default")
    catalogue.refresh_payment_methods(account)

    sale = ("--sell", "37", "--price", "10.00", "--email", "ada@example.org")
    out, _err, failure = run(*sale)
    assert "Up to 3 REAL ORDERS of product 37 are placed for ada@example.org" in out
    assert failure.startswith("Nothing was done")
    assert sandbox.sales() == []

    out, _err, failure = run(*sale, "--yes")
    assert failure == ""
    [order] = sandbox.sales()
    assert f"Orders placed: {order.order_id}." in out
    assert order.vouchers[0] not in out
    assert "sold is checked" not in out
    assert "Can a voucher be checked the moment it is sold? Yes." in out


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        ((), {}, "--email"),
        (("--email", "a@example.org", "--price", "ten"), {}, "--price"),
        (("--email", "a@example.org"), {"DELIVERY_METHODS": []}, "--delivery-method"),
        (("--email", "a@example.org"), {}, "--payment-method"),
    ],
)
def test_a_sale_that_lacks_something_is_refused_before_anything(
    sandbox, configure, options, changes, said
):
    configure(**changes)

    _out, _err, failure = run("--yes", "--sell", "37", *options)

    assert said in failure
    assert sandbox.log() == []


@pytest.mark.parametrize(
    ("number", "options", "said"),
    [
        ("NO-SUCH-VOUCHER", (), "refuses that voucher"),
        (NUMBER, ("--site-id", "99"), "site number '99'"),
        (NUMBER, ("--account", "nobody"), "has no account 'nobody'"),
    ],
)
def test_what_cannot_be_asked_is_exit_status_1(sandbox, number, options, said):
    _out, _err, failure = run("--yes", *options, number=number)

    assert said in failure
    assert number not in failure
    assert not CapabilityRecord.objects.exists()


def test_an_account_without_a_site_number_needs_one(sandbox, configure, settings):
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "SITE_ID": ""}})

    assert "--site-id" in run("--yes")[2]
    assert run("--yes", "--site-id", "1")[2] == ""


def test_what_could_not_be_given_back_is_said(sandbox):
    sandbox.faults.add(Fault(operation="reverse", mode="refused", times=None))

    _out, _err, failure = run("--yes")

    owed = CapabilityRecord.objects.get().owed
    assert len(owed) == 1
    assert f"with the ids {owed[0]}" in failure
    assert NUMBER not in failure


def test_a_penny_whose_ids_were_lost_is_said(sandbox):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after", times=None))
    sandbox.behaviour.dead_token_accepted = True

    _out, err, failure = run("--yes")

    assert "redeems were not answered" in err
    assert "less than before" in failure
    assert sandbox.voucher(NUMBER).balance < 100


def test_a_voucher_that_may_be_held_for_a_while_is_said(sandbox):
    sandbox.faults.add(Fault(operation="hold", mode="lost_after"))

    _out, err, _failure = run("--yes")

    assert "may be held for five minutes" in err
    assert "could not be held" in err


def test_waiting_is_an_option(sandbox, monkeypatch):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        sandbox.clock.advance(seconds)

    probe = smartgift_probe.probing.probe
    monkeypatch.setattr(
        smartgift_probe.probing, "probe", lambda **values: probe(**values, sleep=sleep)
    )

    out, _err, _failure = run("--yes", "--quick")
    assert slept == []
    assert "token of a hold that has run out refused? Not known." in out

    out, _err, _failure = run("--yes", "--wait")
    assert slept == [301]
    assert "token of a hold that has run out refused? Yes." in out


def test_the_record_is_dated(sandbox):
    run("--yes")

    record = CapabilityRecord.objects.get()
    assert timezone.now() - record.probed_at < timedelta(minutes=1)
    assert record.is_bound_to(get_conf().account("default"))
    assert str(record) == f"default, {record.probed_at:%Y-%m-%d}"


@pytest.mark.parametrize(
    "command", ["smartgift_probe", "smartgift_check", "smartgift_doctor"]
)
def test_help_is_for_strangers(command, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command(command, "--help")

    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Smart Gift" in text
    assert "Exits with 1" in text


def test_ctrl_c_prints_what_was_found_out_and_fails(sandbox, monkeypatch):
    def lose_patience(_lab):
        raise KeyboardInterrupt

    monkeypatch.setattr(of_tokens, "ask_about_reversals", lose_patience)

    out, err, failure = run("--yes")

    assert "Does a redeem end its hold? Yes." in out
    assert "It was stopped before everything was asked." in err
    assert failure == "It was stopped. Everything was given back."
    assert sandbox.voucher(NUMBER).balance == 100


def test_ctrl_c_while_giving_back_tells_what_is_owed(sandbox, monkeypatch):
    def lose_patience(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(of_tokens, "ask_about_reversals", lose_patience)
    monkeypatch.setattr(probing_run, "_give_back", lose_patience)

    _out, err, failure = run("--yes")

    assert "stopped" in err
    assert "What is owed to it is given back by the next run." in failure
    assert CapabilityRecord.objects.get().owed

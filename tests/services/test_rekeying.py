"""Changing the keys under a running shop; killed processes are in ``money/test_rekey``."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, models

from tests.money.world import probe_once
from wagtail_smartgift import codes, keycheck, payments
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError, SaleError
from wagtail_smartgift.models import (
    DeskLookUp,
    KeyCheck,
    Redemption,
    StoredAnswer,
    VoucherOrderItem,
)
from wagtail_smartgift.models.sealed import (
    FINGERPRINT_COLUMNS,
    SEALED_COLUMNS,
    SealedColumn,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    answers,
    catalogue,
    looking_up,
    rekeying,
    sales,
    vault,
)


FIFTY, HUNDRED, REF = "GOOD-0050-0001", "GOOD-0100-0001", "order-1"
#: The voucher that ``probe_once`` tries with.
PROBED = "GOOD-1000-0001"
OLD = "only for tests, but long enough to be a key"
NEW = "another one for tests, as long as it has to be"
FIRST_PRINT = "a fingerprint key for tests, long enough as well"
OTHER_PRINT = "another fingerprint key for tests, and as long"


@pytest.fixture
def vouchers(session, sandbox, configure):
    """One voucher redeemed, one held, two sold under our numbers, one looked up, and a
    stored answer.
    """
    configure(FINGERPRINT_KEY=FIRST_PRINT)
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    payments.open_session(reference="order-2", amount_due="80.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    sales.place_order(
        reference=REF,
        items=[{"product": 37, "price": "50.00"}, {"product": 37, "price": "25.00"}],
        customer={
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        delivery={"method": "1", "price": "0.00"},
    )
    looking_up.look_up(
        voucher_no=HUNDRED, site=None, user=User.objects.create_user("miller")
    )
    claim = answers.claim(caller="somebody", path="/", key="a", body=b"{}")
    answers.settle(
        claim, answers.Answer(200, "application/json", '{"a": 1}', language="en")
    )


def rekey(*arguments):
    out, err = StringIO(), StringIO()
    failure = None
    try:
        call_command("smartgift_rekey", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        failure = error
    return out.getvalue(), err.getvalue(), failure


def everything():
    return [
        list(model.objects.order_by("pk").values())
        for model in (
            DeskLookUp,
            Redemption,
            VoucherOrderItem,
            StoredAnswer,
            KeyCheck,
        )
    ]


def sealed():
    return {
        (str(column), pk): token
        for column in SEALED_COLUMNS
        for pk, token in column.model.objects.exclude(**{column.field: ""}).values_list(
            "pk", column.field
        )
    }


def numbers():
    return {
        codes.decrypt(row.number_encrypted, keys=get_conf().encryption_keys)
        for row in Redemption.objects.all()
    }


def assert_fingerprints_are_ours():
    account = get_conf().account("default")
    for model in (DeskLookUp, Redemption, VoucherOrderItem):
        for row in model.objects.all():
            number = vault.open_sealed(row.number_encrypted)
            assert row.fingerprint == vault.fingerprint(number, account=account)
            assert row.fingerprint_next == ""


# -- the lists --------------------------------------------------------------------------


def test_every_encrypted_column_is_in_the_list():
    """A new one that is not would be lost with the first old key that is removed."""
    found = {
        (model, field.name)
        for model in apps.get_app_config("wagtail_smartgift").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.Field) and field.name.endswith("_encrypted")
    }

    assert found == {(column.model, column.field) for column in SEALED_COLUMNS}


def test_every_fingerprint_is_in_the_list(vouchers, sandbox):
    """Whatever its column is called: none of a voucher that was redeemed, held, sold or
    probed with is in any other.
    """
    probe_once(sandbox)
    account = get_conf().account("default")
    numbers = {PROBED, FIFTY, HUNDRED}
    numbers |= {number for sale in sandbox.sales() for number in sale.vouchers}
    prints = {vault.fingerprint(number, account=account) for number in numbers}
    found = {
        (model, field.name)
        for model in apps.get_app_config("wagtail_smartgift").get_models()
        for field in model._meta.concrete_fields
        for value in model._default_manager.values_list(field.name, flat=True)
        if any(print_ in str(value) for print_ in prints)
    }

    assert found == {(column.model, "fingerprint") for column in FINGERPRINT_COLUMNS}
    assert {column.sealed for column in FINGERPRINT_COLUMNS} <= set(SEALED_COLUMNS)
    for column in FINGERPRINT_COLUMNS:
        assert column.model._meta.get_field("fingerprint_next").max_length == 64


# -- encrypting -------------------------------------------------------------------------


def test_everything_is_encrypted_with_the_first_key(vouchers, configure):
    before = sealed()
    # Two numbers and tokens, two numbers of our own, one looked up, an answer.
    assert len(before) == 8
    configure(ENCRYPTION_KEYS=[NEW, OLD])

    out, err, failure = rekey("--batch", "2")

    assert (failure, err) == (None, "")
    assert "redemption (number_encrypted): 2 encrypted with the first key" in out
    # The old key is not needed any more.
    configure(ENCRYPTION_KEYS=[NEW])
    after = sealed()
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    assert numbers() == {FIFTY, HUNDRED}
    assert payments.confirm(reference="order-2").status == "confirmed"
    again = answers.claim(caller="somebody", path="/", key="a", body=b"{}")
    assert again.body == '{"a": 1}'


def test_a_second_run_changes_nothing(vouchers, configure):
    configure(ENCRYPTION_KEYS=[NEW, OLD], FINGERPRINT_KEY=OTHER_PRINT)
    rekey()
    before = everything()

    out, _err, failure = rekey()

    assert failure is None
    assert everything() == before
    assert "0 encrypted with the first key, 2 were already" in out
    assert "0 made with FINGERPRINT_KEY, 2 were already" in out


def test_a_dry_run_counts_and_changes_nothing(vouchers, configure):
    configure(ENCRYPTION_KEYS=[NEW, OLD], FINGERPRINT_KEY=OTHER_PRINT)
    before = everything()

    out, _err, failure = rekey("--dry-run")

    assert failure is None
    assert everything() == before
    assert "redemption (hold_token_encrypted): 2 to be encrypted" in out
    assert "redemption (fingerprint): 2 to be made with FINGERPRINT_KEY" in out


def test_what_no_key_opens_is_named_by_its_row(vouchers, configure):
    lost = Redemption.objects.get(status="held")
    before = lost.number_encrypted
    Redemption.objects.filter(pk=lost.pk).update(
        number_encrypted=codes.encrypt(HUNDRED, keys=[Fernet.generate_key()])
    )
    unreadable = Redemption.objects.get(pk=lost.pk).number_encrypted
    configure(ENCRYPTION_KEYS=[NEW, OLD])

    out, err, failure = rekey()

    assert "1 rows cannot be read" in str(failure)
    assert str(lost.pk) in err
    assert HUNDRED not in out + err + str(failure)
    assert lost.display_code not in out + err + str(failure)
    assert Redemption.objects.get(pk=lost.pk).number_encrypted == unreadable != before
    # All the others are done.
    configure(ENCRYPTION_KEYS=[NEW])
    assert vault.voucher_number(Redemption.objects.get(status="redeemed")) == FIFTY


def test_what_a_request_writes_meanwhile_stays(vouchers, configure, monkeypatch):
    """A hold is taken anew between the command's read and its write."""
    configure(ENCRYPTION_KEYS=[NEW, OLD])
    row = Redemption.objects.get(status="held")
    reencrypt = codes.reencrypt

    def slowly(token, *, keys):
        if token == row.hold_token_encrypted:
            Redemption.objects.filter(pk=row.pk).update(
                hold_token_encrypted=codes.encrypt("a newer token", keys=keys)
            )
        return reencrypt(token, keys=keys)

    monkeypatch.setattr(codes, "reencrypt", slowly)
    column = SealedColumn(Redemption, "hold_token_encrypted", "hold tokens")
    tally = rekeying.reencrypt(column)

    assert (tally.changed, tally.busy) == (1, 1)
    assert vault.hold_token(Redemption.objects.get(pk=row.pk)) == "a newer token"


def test_somebody_with_the_old_settings_is_noticed(vouchers, configure, monkeypatch):
    configure(ENCRYPTION_KEYS=[NEW, OLD])
    row = Redemption.objects.get(status="held")
    old = get_conf().encryption_keys[1:]
    update = rekeying._update

    def and_back(*arguments):
        done = update(*arguments)
        Redemption.objects.filter(pk=row.pk).update(
            number_encrypted=codes.encrypt(HUNDRED, keys=old)
        )
        return done

    monkeypatch.setattr(rekeying, "_update", and_back)
    _out, _err, failure = rekey()

    assert "restart every process" in str(failure)
    assert "(number_encrypted)" in str(failure)


# -- fingerprinting ---------------------------------------------------------------------


def test_all_fingerprints_are_made_anew(vouchers, configure):
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    assert not keycheck.is_ours()

    _out, _err, failure = rekey()

    assert failure is None
    assert keycheck.is_ours()
    assert KeyCheck.objects.get().next_check_value == ""
    assert_fingerprints_are_ours()


def test_with_another_key_no_voucher_is_taken(vouchers, configure, sandbox):
    """It could be live twice: whether another payment has it cannot be seen."""
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    payments.open_session(reference="order-3", amount_due="10.00")
    before, calls = everything(), len(sandbox.log())

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-3", voucher_no=HUNDRED)

    assert refused.value.code == "smartgift_unavailable"
    assert everything() == before
    assert len(sandbox.log()) == calls


def test_what_is_in_flight_goes_on_with_either_key(vouchers, configure, sandbox):
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    assert payments.prepare(reference="order-2").amount_covered == 80
    rekey()

    configure(FINGERPRINT_KEY=FIRST_PRINT)
    assert payments.confirm(reference="order-2").status == "confirmed"
    # The rest of a refund is a new row, with the fingerprint that is in force.
    assert payments.refund(reference="order-2", amount="30.00").amount_covered == 50

    configure(FINGERPRINT_KEY=OTHER_PRINT)
    assert_fingerprints_are_ours()


def test_a_live_voucher_stays_the_only_one(vouchers, configure, sandbox):
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    rekey()
    payments.open_session(reference="order-3", amount_due="10.00")

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-3", voucher_no=HUNDRED)
    assert refused.value.code == "voucher_held"

    # A process that was not restarted yet stores nothing either.
    configure(FINGERPRINT_KEY=FIRST_PRINT)
    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-3", voucher_no=HUNDRED)
    assert refused.value.code == "smartgift_unavailable"
    assert Redemption.objects.filter(session__reference="order-3").count() == 0


def test_what_comes_while_they_are_collected_is_made_up_for(
    vouchers, configure, monkeypatch
):
    """The shop goes on with the old key until the new one is in force."""
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    put_in_force = rekeying._put_in_force

    def late(*arguments):
        if not Redemption.objects.filter(session__reference="order-3").exists():
            configure(FINGERPRINT_KEY=FIRST_PRINT)
            payments.open_session(reference="order-3", amount_due="10.00")
            payments.add_voucher(reference="order-3", voucher_no="GOOD-0025-0001")
            configure(FINGERPRINT_KEY=OTHER_PRINT)
        return put_in_force(*arguments)

    monkeypatch.setattr(rekeying, "_put_in_force", late)
    _out, _err, failure = rekey()

    assert failure is None
    assert_fingerprints_are_ours()


def test_more_than_can_be_made_up_for_is_collected_again(
    vouchers, configure, monkeypatch
):
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    monkeypatch.setattr(rekeying, "_MOST_LATE", 0)
    put_in_force, tries = rekeying._put_in_force, []

    def late(*arguments):
        tries.append(1)
        if len(tries) == 1:
            Redemption.objects.update(fingerprint_next="")
        return put_in_force(*arguments)

    monkeypatch.setattr(rekeying, "_put_in_force", late)
    _out, _err, failure = rekey()

    assert failure is None
    assert len(tries) == 2
    assert_fingerprints_are_ours()


def test_a_number_that_cannot_be_read_stops_the_change(vouchers, configure):
    lost = Redemption.objects.get(status="redeemed")
    Redemption.objects.filter(pk=lost.pk).update(number_encrypted="gAAAAA not ours")
    configure(FINGERPRINT_KEY=OTHER_PRINT)

    _out, err, failure = rekey()

    assert "--leave-unreadable" in str(failure)
    assert not keycheck.is_ours()
    assert Redemption.objects.get(pk=lost.pk).fingerprint == lost.fingerprint

    _out, err, failure = rekey("--leave-unreadable")

    assert str(lost.pk) in err
    assert "1 rows cannot be read" in str(failure)
    assert keycheck.is_ours()
    assert Redemption.objects.get(pk=lost.pk).fingerprint == lost.fingerprint
    assert Redemption.objects.get(status="held").fingerprint == vault.fingerprint(
        HUNDRED, account=get_conf().account("default")
    )


def test_a_third_key_throws_away_what_was_collected_for_the_second(
    vouchers, configure, monkeypatch
):
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    monkeypatch.setattr(rekeying, "_put_in_force", lambda *arguments: False)
    _out, _err, failure = rekey()
    assert "goes on with the old one" in str(failure)
    assert Redemption.objects.exclude(fingerprint_next="").count() == 2
    monkeypatch.undo()

    configure(FINGERPRINT_KEY="a third fingerprint key for tests, long enough")
    rekey()

    assert_fingerprints_are_ours()


def test_the_key_that_is_in_force_mends_what_another_wrote(vouchers, configure):
    """Vouchers are sold with whatever key: nobody's payment waits for a key."""
    VoucherOrderItem.objects.filter(position=0).update(fingerprint="made by another")

    out, _err, failure = rekey()

    assert failure is None
    assert "voucher order item (fingerprint): 1 made with FINGERPRINT_KEY" in out
    assert_fingerprints_are_ours()


def test_a_voucher_that_is_live_twice_is_named(vouchers, configure):
    held = Redemption.objects.get(status="held")
    twin = Redemption.objects.get(status="held")
    twin.pk, twin.leg, twin.fingerprint = None, 7, "made by another"
    twin._state.adding = True
    twin.save()

    _out, err, failure = rekey()

    assert "1 vouchers are live twice" in str(failure)
    assert str(twin.pk) in err
    assert str(held.pk) not in err
    assert HUNDRED not in err + str(failure)


def test_a_repeat_is_known_whatever_key_there_was(vouchers, configure):
    """Else a refund of an amount would be given twice after a change of keys."""
    configure(FINGERPRINT_KEY=OTHER_PRINT, ENCRYPTION_KEYS=[NEW, OLD])

    again = answers.claim(caller="somebody", path="/", key="a", body=b"{}")

    assert isinstance(again, answers.Answer)


def test_a_check_tells_of_the_wrong_key(vouchers, configure):
    def found():
        return [
            item.id
            for item in run_checks(databases=["default"])
            if item.id == "wagtail_smartgift.W014"
        ]

    assert found() == []
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    assert found() == ["wagtail_smartgift.W014"]


def _sale(reference):
    return {
        "reference": reference,
        "items": [{"product": 37, "price": "50.00"}],
        "customer": {
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        "delivery": {"method": "1", "price": "0.00"},
    }


def test_a_sale_under_the_wrong_key_sells_nothing(vouchers, configure, sandbox):
    configure(FINGERPRINT_KEY=OTHER_PRINT)
    before, sold = everything(), len(sandbox.sales())

    with pytest.raises(SaleError) as refused:
        sales.place_order(**_sale("order-2"))

    assert refused.value.code == "smartgift_unavailable"
    assert (everything(), len(sandbox.sales())) == (before, sold)


def test_what_is_sold_already_is_stored_whatever_the_key(vouchers, configure, sandbox):
    """Numbers that the answer names, under a key that is wrong by then: without a
    fingerprint, which a change of keys makes up.
    """
    sandbox.behaviour.update({"own_codes": "ignore", "sales_echo_codes": True})
    before = VoucherOrderItem.objects.count()
    configure(FINGERPRINT_KEY=OTHER_PRINT, OWN_VOUCHER_CODES=False)

    order = sales.place_order(**_sale("order-2"))

    item = VoucherOrderItem.objects.get(order__reference="order-2")
    assert VoucherOrderItem.objects.count() == before + 1
    assert [order.items[0].voucher_no] == sandbox.sales()[-1].vouchers
    assert vault.open_sealed(item.number_encrypted) == order.items[0].voucher_no
    assert (item.fingerprint, item.fingerprint_next) == ("", "")
    assert rekey()[2] is None
    assert_fingerprints_are_ours()


def test_our_own_numbers_in_an_answer_are_not_stored_again(
    vouchers, configure, sandbox
):
    """Under the wrong key they would get fingerprints of it."""
    sandbox.behaviour.sales_echo_codes = True
    sandbox.faults.add(Fault("pos-sale", "rate_limited"))
    sales.place_order(**_sale("order-2"))
    before = VoucherOrderItem.objects.values().get(order__reference="order-2")
    configure(FINGERPRINT_KEY=OTHER_PRINT)

    sales.place_order(**_sale("order-2"))

    after = VoucherOrderItem.objects.values().get(order__reference="order-2")
    assert after == before
    assert len(sandbox.sales()) == 2


def test_the_first_sale_writes_the_key_down(sandbox, db):
    account = get_conf().account("default")
    catalogue.sync(account)
    assert not KeyCheck.objects.exists()
    sales.place_order(**_sale(REF))
    assert keycheck.stored() == keycheck.check_value()


def test_the_first_voucher_writes_the_key_down(session, sandbox):
    assert not KeyCheck.objects.exists()
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    assert keycheck.stored() == keycheck.check_value()


def test_a_run_before_the_first_voucher_writes_it_down_too(db):
    assert rekey()[2] is None
    assert keycheck.stored() == keycheck.check_value()


@pytest.mark.parametrize("rows", ["0", "-1"])
def test_batches_have_rows(db, rows):
    assert "--batch" in str(rekey("--batch", rows)[2])


def test_without_keys_nothing_is_done(db, configure):
    configure(ENCRYPTION_KEYS=[])
    assert "ENCRYPTION_KEYS" in str(rekey()[2])


def test_a_database_that_is_away_is_a_sentence(vouchers, configure):
    def away(execute, sql, params, many, context):
        raise OperationalError("connection to server failed: secret words")

    with connection.execute_wrapper(away):
        _out, _err, failure = rekey()

    assert "could not be used" in str(failure)
    assert "secret words" not in str(failure)

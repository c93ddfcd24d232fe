"""The commands as an operator sees them."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from wagtail_smartgift.models import CatalogueSync, VoucherProduct
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.sandbox.catalogue import OTHER_KEY


pytestmark = pytest.mark.django_db


def sync(*arguments):
    out, err = StringIO(), StringIO()
    failure = None
    try:
        call_command("smartgift_sync", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        failure = error
    return out.getvalue(), err.getvalue(), failure


@pytest.fixture
def two_accounts(sandbox, configure, settings):
    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    quay = {**accounts["default"], "API_KEY": OTHER_KEY, "SITE_ID": "9"}
    configure(ACCOUNTS={**accounts, "quay": quay})


def test_sync_counts_per_account(two_accounts):
    first, _err, failure = sync()

    assert failure is None
    assert "default: 10 added, 0 changed, 0 unchanged, 0 gone, 0 returned" in first
    assert "quay: 1 added, 0 changed, 0 unchanged, 0 gone, 0 returned" in first

    again, _err, failure = sync()

    assert failure is None
    assert "default: 0 added, 0 changed, 10 unchanged, 0 gone, 0 returned" in again


def test_sync_of_one_account_leaves_the_others(two_accounts):
    out, _err, failure = sync("--account", "quay")

    assert failure is None
    assert "default" not in out
    assert set(VoucherProduct.objects.values_list("account", flat=True)) == {"quay"}


def test_sync_names_the_accounts_it_knows(sandbox):
    _out, _err, failure = sync("--account", "nobody")

    assert "default" in str(failure)


def test_sync_reads_the_payment_methods_too(sandbox):
    sync()

    names = [method["name"] for method in CatalogueSync.objects.get().payment_methods]
    assert names == ["Credit/Debit Card", "Cash", "Online Shop"]


def test_sync_goes_on_without_payment_methods(sandbox):
    sandbox.faults.add(Fault("payment-methods", "status", status=500))

    out, err, failure = sync()

    assert failure is None
    assert "10 added" in out
    assert "no payment methods" in err


def test_sync_that_fails_says_what_to_do_and_does_the_others(two_accounts, sandbox):
    sandbox.faults.add(Fault("vouchers", "unauthorised"))

    out, err, failure = sync()

    assert failure is not None
    assert "Not read: default" in str(failure)
    assert "Check its API_KEY" in err
    assert "sk_sandbox" not in out + err + str(failure)
    assert "quay: 1 added" in out
    assert set(VoucherProduct.objects.values_list("account", flat=True)) == {"quay"}


def test_sync_of_nobody_who_listens(configure, settings):
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "BASE_URL": "http://127.0.0.1:9"}})

    _out, err, failure = sync()

    assert failure is not None
    assert "cannot be reached" in err


def test_sync_believes_an_empty_catalogue_only_when_told(sandbox):
    sync()
    for product in sandbox.products():
        sandbox.remove_product(product.id)

    _out, err, failure = sync()
    assert failure is not None
    assert "--allow-empty" in err

    out, _err, failure = sync("--allow-empty")
    assert failure is None
    assert "10 gone" in out


def test_broken_settings_are_a_sentence(settings):
    settings.WAGTAIL_SMARTGIFT = {"ACOUNTS": {}}

    _out, _err, failure = sync()

    assert "ACOUNTS" in str(failure)

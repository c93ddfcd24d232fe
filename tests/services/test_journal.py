import pytest
from django.db import IntegrityError, transaction

from wagtail_smartgift import payments
from wagtail_smartgift.choices import Operation, Outcome, RedemptionStatus
from wagtail_smartgift.models import Redemption, RedemptionEvent
from wagtail_smartgift.models.base import AppendOnlyError
from wagtail_smartgift.services import journal


S = RedemptionStatus


@pytest.fixture
def held(session):
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    return Redemption.objects.get()


def test_events_are_never_changed_or_deleted(held):
    event = RedemptionEvent.objects.first()

    for act in (
        event.save,
        event.delete,
        RedemptionEvent.objects.all().delete,
        lambda: RedemptionEvent.objects.update(reason="x"),
    ):
        with pytest.raises(AppendOnlyError):
            act()

    assert RedemptionEvent.objects.filter(reason="").count() == 3


def test_a_stale_worker_is_refused_and_writes_nothing(held):
    stale = Redemption.objects.get()
    journal.record(held, Operation.RELEASE, Outcome.REQUESTED, status=S.LAPSED)
    events = RedemptionEvent.objects.count()

    with pytest.raises(journal.Stale):
        journal.record(stale, Operation.REDEEM, Outcome.REQUESTED, status=S.REDEEMING)

    assert RedemptionEvent.objects.count() == events
    assert Redemption.objects.get().status == S.LAPSED


def test_a_row_in_another_status_is_refused(held):
    with pytest.raises(journal.Stale):
        journal.record(
            held,
            Operation.REVERSE,
            Outcome.REQUESTED,
            status=S.REVERSING,
            expected={S.REDEEMED},
        )


def test_a_step_that_leads_nowhere_is_a_bug(held):
    with pytest.raises(ValueError, match="does not lead"):
        journal.record(held, Operation.HOLD, Outcome.FAILED, status=S.REDEEMED)


@pytest.mark.parametrize(
    "values",
    [
        {"status": S.REDEEMED, "amount": 5, "proof": ""},
        {"status": S.REDEEMED, "amount": 0, "proof": "person"},
        {"proof": "response", "redemption_ids": []},
        {"amount": -1},
    ],
)
def test_the_database_refuses_what_cannot_be(held, values):
    with pytest.raises(IntegrityError), transaction.atomic():
        Redemption.objects.update(**values)


def test_one_voucher_is_live_once(held):
    copy = Redemption.objects.get()
    copy.pk = None
    copy.leg = 2
    copy._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save()

"""Sharing a refund between card and vouchers: all of it, and never more than was paid."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.payments import RefundPolicy, RefundShares, share_refund


CARD_FIRST, VOUCHERS_FIRST, PRO_RATA = RefundPolicy
AMOUNTS = st.decimals("0.00", "9999.99", places=2)


@pytest.mark.parametrize(
    ("policy", "amount", "card", "vouchers"),
    [
        (CARD_FIRST, "20.00", "20.00", "0.00"),
        (CARD_FIRST, "40.00", "30.00", "10.00"),
        (VOUCHERS_FIRST, "20.00", "0.00", "20.00"),
        (VOUCHERS_FIRST, "60.00", "10.00", "50.00"),
        (PRO_RATA, "40.00", "15.00", "25.00"),
        (PRO_RATA, "0.01", "0.00", "0.01"),
        (PRO_RATA, "0.04", "0.01", "0.03"),
        *((policy, "80.00", "30.00", "50.00") for policy in RefundPolicy),
        *((policy, "0.00", "0.00", "0.00") for policy in RefundPolicy),
    ],
)
def test_of_30_by_card_and_50_by_vouchers(policy, amount, card, vouchers):
    shares = share_refund(
        amount=Decimal(amount), card=Decimal(30), vouchers=Decimal(50), policy=policy
    )

    assert shares == RefundShares(card=Decimal(card), vouchers=Decimal(vouchers))


@pytest.mark.parametrize("policy", RefundPolicy)
def test_more_than_was_paid_is_refused(policy):
    with pytest.raises(PaymentError) as refused:
        share_refund(
            amount=Decimal("80.01"),
            card=Decimal(30),
            vouchers=Decimal(50),
            policy=policy,
        )
    assert refused.value.code == "amount_too_large"


@given(
    card=AMOUNTS,
    vouchers=AMOUNTS,
    parts=st.lists(AMOUNTS, min_size=1, max_size=8),
    policy=st.sampled_from(RefundPolicy),
)
def test_however_often_a_part_is_refunded_all_comes_back_once(
    card, vouchers, parts, policy
):
    left_card, left_vouchers = card, vouchers
    for part in [*parts, card + vouchers]:
        wish = min(part, left_card + left_vouchers)
        shares = share_refund(
            amount=wish, card=left_card, vouchers=left_vouchers, policy=policy
        )
        assert shares.card + shares.vouchers == wish
        assert 0 <= shares.card <= left_card
        assert 0 <= shares.vouchers <= left_vouchers
        left_card -= shares.card
        left_vouchers -= shares.vouchers
    assert left_card == left_vouchers == 0

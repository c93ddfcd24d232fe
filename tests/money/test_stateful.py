"""Random interleavings of carts, tills, faults, deaths and time, then the books.

Three carts share four vouchers. After every step, and once everything has come to
rest, our rows are held against the sandbox's own ledger.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from wagtail_smartgift import payments
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault, Refusal, Sandbox
from wagtail_smartgift.services import reconciliation
from wagtail_smartgift.services.payments import turn

from .world import (
    World,
    attempt,
    compare_books,
    compare_rest,
    describe_rows,
    experiences,
    forget_everything,
    probe_once,
)


CARTS = ("cart-1", "cart-2", "cart-3")
#: Shared by the carts: what it holds, None for one of experiences.
VOUCHERS = {
    "MONEY-HUNDRED-0001": 100,
    "MONEY-FIFTY-0002": 50,
    "MONEY-TWENTY-0003": 20,
    "EXPERIENCE-0004": None,
}
carts = st.sampled_from(CARTS)
vouchers = st.sampled_from(sorted(VOUCHERS))
amounts = st.sampled_from(["5.00", "10.00", "20.00", "33.33", "50.00", "70.00"])
OPERATIONS = ("*", "hold", "check", "release", "redeem", "redeem", "redeem", "reverse")
MODES = (
    "lost_before",
    "lost_after",
    "apply_late",
    "status",
    "html",
    "garbage",
    "half_body",
    "empty_success",
    "rate_limited",
    "unauthorised",
    "refused",
)
#: A person may be asked about these only where something happened that a machine
#: cannot see through.
REASONS = {
    "ids_lost": {"redeem"},
    "balance_moved": {"redeem", "till"},
    "unreachable": {"redeem", "reverse", "check"},
    "unreadable": {"redeem"},
    "reverse_refused": {"refused"},
    "reverse_refused_ids": {"refused", "reverse"},
    "remainder_not_redeemed": {"till", "refused", "redeem", "hold", "check"},
}


class Shop(RuleBasedStateMachine):
    """One shop with three carts; ``sandbox`` and ``world`` are set by the test."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        forget_everything()
        self.sandbox.reset()
        for number, balance in VOUCHERS.items():
            self.sandbox.add_voucher(
                number,
                balance=balance,
                experiences=experiences() if balance is None else None,
            )
        self.world = World(self.sandbox)
        self.world.start()
        #: What happened that may cost a person's time.
        self.trouble: set[str] = set()
        #: What the shop was told that a cart's vouchers pay, when it confirmed.
        self.promised: dict[str, Decimal] = {}
        self.refunds: dict[str, Decimal] = {}
        self.cancelled: set[str] = set()

    def teardown(self) -> None:
        try:
            self._come_to_rest()
        finally:
            self.world.stop()

    def _come_to_rest(self) -> None:
        self.sandbox.faults.clear()
        self.world.until_quiet()
        compare_books(self.sandbox)
        compare_rest()
        # Whatever is still on its way arrives now, and must change nothing.
        self.world.pass_time(4000)
        compare_books(self.sandbox)
        for cart in CARTS:
            self._check_promises(cart)
        for session in PaymentSession.objects.all():
            event(f"a cart ends {session.status}")
        for row in Redemption.objects.all():
            event(f"a voucher ends {row.status} {row.attention_code}{row.proof}")
        for row in Redemption.objects.filter(status="needs_attention"):
            assert REASONS[row.attention_code] & self.trouble, describe_rows()

    def _check_promises(self, cart: str) -> None:
        state = attempt(payments.get_session, reference=cart)
        if state == "not_found":
            return
        if cart in self.cancelled:
            assert state.status in {"cancelled", "needs_attention"}, describe_rows()
        if state.status == "confirmed":
            assert state.amount_redeemed == self.promised[cart], describe_rows()
            assert state.amount_refunded == self.refunds.get(cart, 0), describe_rows()

    # -- the behaviour of this Smart Gift --------------------------------------------

    @initialize(
        flags=st.fixed_dictionaries(
            {
                "redeem_ends_hold": st.booleans(),
                "dead_token_accepted": st.booleans(),
                "hold_spent_vouchers": st.booleans(),
                "reverse_while_held": st.booleans(),
                "reverse_twice": st.sampled_from(["refuse", "accept"]),
                "spent_check": st.sampled_from(["answer", "refuse"]),
                "held_until": st.sampled_from(
                    ["utc", "offset", "naive", "naive_local", "absent"]
                ),
            }
        ),
        due=st.sampled_from(["30.00", "60.00", "120.00"]),
        start=st.integers(0, 3),
        probed=st.booleans(),
    )
    def begin(self, flags: dict[str, Any], due: str, start: int, probed: bool) -> None:
        self.sandbox.behaviour.update(flags)
        if probed:
            # What it finds out is true, so it may make nothing worse.
            probe_once(self.sandbox)
        for cart in CARTS:
            payments.open_session(reference=cart, amount_due=due)
        # So that most runs have money to lose from the first step on.
        for cart, voucher in zip(CARTS, sorted(VOUCHERS)[start:], strict=False):
            payments.add_voucher(reference=cart, voucher_no=voucher)

    # -- customers -------------------------------------------------------------------

    @rule(cart=carts, voucher=vouchers, amount=st.none() | amounts)
    def add(self, cart: str, voucher: str, amount: str | None) -> None:
        with self.world.mortal():
            attempt(
                payments.add_voucher, reference=cart, voucher_no=voucher, amount=amount
            )

    @rule(cart=carts, which=st.integers(0, 3))
    def remove(self, cart: str, which: int) -> None:
        state = payments.get_session(reference=cart)
        if which < len(state.redemptions):
            with self.world.mortal():
                attempt(
                    payments.remove_voucher,
                    reference=cart,
                    redemption_id=state.redemptions[which].id,
                )

    @rule(cart=carts, which=st.integers(0, 3))
    def keep(self, cart: str, which: int) -> None:
        state = payments.get_session(reference=cart)
        if which < len(state.redemptions):
            with self.world.mortal():
                attempt(
                    payments.renew_hold,
                    reference=cart,
                    redemption_id=state.redemptions[which].id,
                )

    @rule(cart=carts, due=amounts)
    def change_the_basket(self, cart: str, due: str) -> None:
        with self.world.mortal():
            attempt(payments.open_session, reference=cart, amount_due=due)

    # -- the shop --------------------------------------------------------------------

    @rule(cart=carts)
    def prepare(self, cart: str) -> None:
        with self.world.mortal():
            attempt(payments.prepare, reference=cart)

    @rule(cart=carts)
    def confirm(self, cart: str) -> None:
        before = payments.get_session(reference=cart)
        if before.status == "open":
            self.promised[cart] = before.amount_covered
        with self.world.mortal():
            after = attempt(
                payments.confirm,
                reference=cart,
                amount_remaining=before.amount_remaining,
            )
            assert after != "amount_changed"

    @rule(cart=carts, voucher=vouchers)
    def take_two_and_confirm(self, cart: str, voucher: str) -> None:
        """The commonest story, told more often than chance would."""
        self.add(cart, voucher, None)
        self.confirm(cart)

    @rule(cart=carts)
    def cancel(self, cart: str) -> None:
        with self.world.mortal():
            if not isinstance(attempt(payments.cancel, reference=cart), str):
                self.cancelled.add(cart)

    @rule(cart=carts, amount=st.none() | amounts)
    def refund(self, cart: str, amount: str | None) -> None:
        before = payments.get_session(reference=cart)
        if before.status != "confirmed":
            attempt(payments.refund, reference=cart, amount=amount)
            return
        wanted = before.amount_covered if amount is None else Decimal(amount)
        with self.world.mortal():
            attempt(payments.refund, reference=cart, amount=amount)
        after = payments.get_session(reference=cart)
        if after.status != "confirmed" or after.amount_refunded:
            moved = after.amount_refunded - before.amount_refunded
            if after.status != "confirmed" or moved:
                self.refunds[cart] = self.refunds.get(cart, Decimal(0)) + wanted

    # -- others, and the world -------------------------------------------------------

    @rule(voucher=vouchers, amount=amounts)
    def till_spends(self, voucher: str, amount: str) -> None:
        try:
            if VOUCHERS[voucher] is None:
                self.sandbox.spend_by_till(voucher, bits=1)
            else:
                self.sandbox.spend_by_till(voucher, amount)
        except Refusal:
            return
        self.trouble.add("till")

    @rule(voucher=vouchers, holds=st.booleans())
    def till_holds(self, voucher: str, holds: bool) -> None:
        held = self.sandbox.voucher(voucher).hold
        if holds and held is None:
            self.sandbox.hold_by_till(voucher)
        elif not holds and held is not None and held.by == "till":
            self.sandbox.release_by_till(voucher)

    @rule(seconds=st.sampled_from([1, 20, 36, 61, 131, 200, 301, 1000, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def sweep(self) -> None:
        with self.world.mortal():
            reconciliation.reconcile()

    @rule(
        operation=st.sampled_from(OPERATIONS),
        mode=st.sampled_from(MODES),
        times=st.integers(1, 4),
        seconds=st.sampled_from([3, 34, 60, 120]),
        applied=st.none() | st.booleans(),
    )
    def something_breaks(
        self,
        operation: str,
        mode: str,
        times: int,
        seconds: int,
        applied: bool | None,
    ) -> None:
        if mode not in {"status", "html", "garbage", "half_body", "empty_success"}:
            applied = None
        self.sandbox.faults.add(
            Fault(
                operation=operation,
                mode=mode,
                times=times,
                seconds=seconds,
                applied=applied,
                status=503,
            )
        )
        self.trouble |= {mode, operation}
        if operation == "*":
            self.trouble |= {"hold", "check", "redeem", "reverse"}

    @precondition(lambda self: self.sandbox.faults.active())
    @rule()
    def repaired(self) -> None:
        self.sandbox.faults.clear()

    @rule(steps=st.integers(1, 14))
    def will_die(self, steps: int) -> None:
        """The next verb's process dies at that step."""
        self.world.dies_in = steps
        self.trouble |= {"hold", "check", "redeem", "reverse"}

    @invariant()
    def the_books_agree(self) -> None:
        compare_books(self.sandbox)


@pytest.mark.django_db
def test_the_books_agree_whatever_happens(sandbox, configure, monkeypatch):
    configure(EXPERIENCE_VALUE="tests.money.world.worth")
    # A dead worker's claim is not waited for: the clock is ours.
    monkeypatch.setattr(turn, "WAIT_FOR_OTHERS", 0)
    Shop.sandbox = sandbox
    profile = settings()
    thorough = profile.max_examples > 100
    run_state_machine_as_test(
        Shop,
        settings=settings(
            parent=profile,
            max_examples=profile.max_examples if thorough else 15,
            stateful_step_count=profile.stateful_step_count if thorough else 30,
            suppress_health_check=list(HealthCheck),
        ),
    )

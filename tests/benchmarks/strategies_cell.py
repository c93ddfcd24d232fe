"""One cell of the strategies' benchmark: one way to redeem, in one kind of weather."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.benchmarks import arena


#: Seconds that a call takes, and that a client waits for an answer that does not come.
LATENCY = (0.15, 0.45)
GIVES_UP_AFTER = 20.0
#: Seconds between two moves of a balance by a till, where nobody holds the voucher.
MOVES_EVERY = 200.0
#: Tries of whatever is no redeem, and of a naive redeem.
TRIES = 3


@dataclass(frozen=True)
class Rates:
    """How often what goes wrong: of all calls, and of the redeems."""

    request_lost: float
    reply_lost: float
    late: float
    death: float
    outage: float


RATES = {
    "awful": Rates(0.02, 0.02, late=0.01, death=0.02, outage=0.02),
    "realistic": Rates(0.001, 0.001, late=0.0002, death=0.0002, outage=0.0),
}


def make_weather(sandbox: Any, rates: Rates, seed: int) -> Any:
    """Return a world in which things go wrong by chance."""
    from tests.money.world import Killed, World
    from wagtail_smartgift.sandbox import Fault, Refusal

    class Weather(World):
        """Time for both sides in which calls fail, processes die and tills sell."""

        def __init__(self) -> None:
            super().__init__(sandbox)
            self.chance = random.Random(seed)
            self.calls = self.deaths = 0
            self.outage_until = 0.0
            self.number, self.amount = "", Decimal(0)
            self._move_in = float("inf")
            self._dying = self._waiting = False

        def begin(self, number: str, amount: Decimal) -> None:
            self.number, self.amount = number, amount
            self.outage_until = 0.0
            self._move_in = self.chance.expovariate(1 / MOVES_EVERY)

        def often(self, share: float) -> bool:
            return self.chance.random() < share

        def step(self, name: str) -> None:
            when, _space, path = name.partition(" ")
            if when == "before":
                self._leave(path)
            elif when == "after":
                self._arrive()

        def _leave(self, path: str) -> None:
            self.calls += 1
            self.pass_time(self.chance.uniform(*LATENCY))
            self._dying = self._waiting = False
            redeems = path == "/redeem"
            if redeems and self.often(rates.outage):
                self.outage_until = time.time() + self.chance.uniform(30, 900)
            if time.time() < self.outage_until:
                self._spoil(mode="status", status=503)
            elif redeems and self.often(rates.death):
                self._dying = True
            elif redeems and self.often(rates.late):
                self._spoil(mode="apply_late", seconds=self.chance.uniform(2, 120))
            elif self.often(rates.request_lost):
                self._spoil(mode="lost_before")
            elif self.often(rates.reply_lost):
                self._spoil(mode="lost_after")

        def _spoil(self, **values: Any) -> None:
            self.sandbox.faults.add(Fault(**values))
            self._waiting = values["mode"] != "status"

        def _arrive(self) -> None:
            if self._waiting:
                self.pass_time(GIVES_UP_AFTER)
            if self._dying and self._is_mortal:
                self._dying = False
                self.dead = True
                self.deaths += 1
                raise Killed

        def pass_time(self, seconds: float) -> None:
            while self._move_in <= seconds:
                seconds -= self._move_in
                super().pass_time(self._move_in)
                self._move_in = self.chance.expovariate(1 / MOVES_EVERY)
                ours = self.often(0.25)
                amount = self.amount if ours else Decimal(self.chance.randint(1, 20))
                with suppress(Refusal):
                    self.sandbox.spend_by_till(self.number, amount)
            self._move_in -= seconds
            super().pass_time(seconds)

        def survives(self, act: Callable[[], None]) -> bool:
            """Do what may die; after a death, time passes until somebody is back."""
            deaths = self.deaths
            with self.mortal():
                act()
            if self.deaths == deaths:
                return True
            self.pass_time(self.chance.uniform(1, 600))
            return False

    return Weather()


# -- what others do ----------------------------------------------------------------------


class Driver:
    """Redeems with the client alone, as an integration without a journal would."""

    def __init__(self, weather: Any, url: str, *, tries: int) -> None:
        from wagtail_smartgift.client import SmartGiftClient

        self.weather, self.tries = weather, tries
        self.client = SmartGiftClient(base_url=url, api_key=arena.API_KEY)
        self.paid = False

    def __call__(self, number: str, amount: Decimal) -> str:
        """Pay, and return what the customer is told."""
        self.paid = False
        survived = self.weather.survives(lambda: self._pay(number, amount))
        if not survived and self.tries > 1:
            # Nothing says that it was paid, so the job is run again.
            self.weather.survives(lambda: self._pay(number, amount))
        return "paid" if self.paid else "failed"

    def _pay(self, number: str, amount: Decimal) -> None:
        hold = self._read(self.client.hold, voucher_no=number)
        state = hold and self._read(self.client.check, voucher_no=number, site_id="1")
        if not state or state.remaining_value < amount:
            return
        self.paid = bool(
            self._again(
                self.tries,
                self.client.redeem,
                voucher_no=number,
                site_id="1",
                value=amount,
                hold_token=hold.hold_token,
            )
        )

    def _read(self, method: Callable[..., Any], **values: Any) -> Any:
        return self._again(TRIES, method, **values)

    def _again(self, tries: int, method: Callable[..., Any], **values: Any) -> Any:
        """Call until there is an answer; None after a refusal, or none in vain."""
        from wagtail_smartgift.client import Refused, SmartGiftError

        for _attempt in range(tries):
            try:
                return method(**values)
            except Refused:
                return None
            except SmartGiftError:
                self.weather.pass_time(1.0)
        return None


# -- what we do ----------------------------------------------------------------------------


class Shop:
    """A shop on the package: its customer is patient, and a sweep runs every so often."""

    def __init__(self, weather: Any) -> None:
        self.weather = weather
        self.orders = 0

    def __call__(self, number: str, amount: Decimal) -> str:
        from wagtail_smartgift import payments

        self.orders += 1
        self.reference = f"order-{self.orders}"
        payments.open_session(reference=self.reference, amount_due=amount)
        survived = self.weather.survives(lambda: self._pay(number))
        self.weather.until_quiet()
        if not survived and self._status() == "open":
            # Nobody was told anything, so the customer presses the button again.
            self.weather.survives(lambda: self._pay(number))
            self.weather.until_quiet()
        words = {"confirmed": "paid", "open": "failed", "needs_attention": "person"}
        return words[self._status()]

    def _status(self) -> str:
        from wagtail_smartgift import payments

        return payments.get_session(reference=self.reference).status

    def _pay(self, number: str) -> None:
        from wagtail_smartgift import payments

        added = self._ask(payments.add_voucher, voucher_no=number)
        if added is None or added.amount_remaining:
            return  # Not enough on it: this customer has nothing else to pay with.
        if self._ask(payments.prepare) is not None:
            self._ask(payments.confirm, amount_remaining="0.00")

    def _ask(self, verb: Callable[..., Any], **values: Any) -> Any:
        from wagtail_smartgift.exceptions import PaymentError

        for _attempt in range(TRIES):
            try:
                return verb(reference=self.reference, **values)
            except PaymentError as error:
                if not error.retry_after:
                    return None
                self.weather.pass_time(error.retry_after)
        return None

    def lost_ids(self) -> bool:
        from wagtail_smartgift.models import Redemption

        return Redemption.objects.filter(
            session__reference=self.reference, status="redeemed", redemption_ids=[]
        ).exists()


# -- the cell --------------------------------------------------------------------------------


def run(
    *, model: str, amount: str, strategy: str, rates: str, trials: int, seed: int
) -> dict[str, Any]:
    """Run a cell's trials and count what became of them."""
    from tests.benchmarks.strategies import AMOUNTS, MODELS
    from tests.money.world import redeemed
    from wagtail_smartgift.conf import get_conf
    from wagtail_smartgift.sandbox import Behaviour
    from wagtail_smartgift.services.payments import turn
    from wagtail_smartgift.testing import running_sandbox

    arena.create_tables()
    # A dead worker's claim is not waited for: the clock is ours.
    turn.WAIT_FOR_OTHERS = 0
    behaviour = Behaviour(rate_limit=0, **MODELS[model])
    counts = Counter[str](trials=trials)
    with running_sandbox(behaviour=behaviour) as sandbox:
        weather = make_weather(sandbox, RATES[rates], seed)
        url = get_conf().account("default").base_url
        shop = Shop(weather)
        tries = TRIES if strategy == "naive" else 1
        pay = shop if strategy == "ours" else Driver(weather, url, tries=tries)
        value = Decimal(AMOUNTS[amount])
        weather.start()
        try:
            for trial in range(trials):
                number = f"TRIAL-{trial}"
                sandbox.add_voucher(number, balance="100.00")
                weather.begin(number, value)
                told = pay(number, value)
                # Whatever is still on its way arrives now.
                weather.pass_time(700)
                taken = redeemed(sandbox, number)
                counts["double"] += taken > value
                counts["taken_untold"] += told == "failed" and taken > 0
                counts["untaken_told"] += told == "paid" and taken < value
                counts["person"] += told == "person"
                counts["paid"] += told == "paid"
                if strategy == "ours":
                    counts["ids_lost"] += shop.lost_ids()
            counts["calls"] = weather.calls
        finally:
            weather.stop()
    names = ("double", "taken_untold", "untaken_told", "person", "ids_lost", "paid")
    return {name: counts[name] for name in (*names, "calls", "trials")}


if __name__ == "__main__":
    arena.answer(run)

"""A key, its server and everybody who calls it, in virtual time.

The server's rule is Laravel's: a fixed window from the first call on, refused calls
not counted. The callers obey the pure functions of ``budget.window``; nothing
here sleeps, so a quarter of an hour takes a second.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from wagtail_smartgift.budget.window import Answer, Place, Window, learn, plan


@dataclass
class Server:
    limit: int = 60
    span: float = 60.0
    expires: float = 0.0
    count: int = 0
    accepted: int = 0
    windows: int = 0

    def call(self, now: float) -> tuple[bool, int, int]:
        """Return (accepted, remaining, Retry-After)."""
        if now >= self.expires:
            self.expires, self.count = now + self.span, 0
            self.windows += 1
        if self.count >= self.limit:
            return False, 0, max(0, int(self.expires) - int(now))
        self.count += 1
        self.accepted += 1
        return True, self.limit - self.count, 0


@dataclass
class Shop:
    """Everybody who shares one row, and the row."""

    server: Server
    window: Window
    rng: random.Random
    latency: tuple[float, float] = (0.15, 0.45)
    now: float = 1000.0
    sent: int = 0
    refused: int = 0
    till_sent: int = 0
    till_refused: int = 0
    redemptions: list[float] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)
    queue: list[tuple[float, int, Iterator[float]]] = field(default_factory=list)

    def start(self, actor: Iterator[float], after: float = 0.0) -> None:
        heapq.heappush(self.queue, (self.now + after, next(self.order), actor))

    def run(self, seconds: float, *, each: Callable[[], None] | None = None) -> None:
        end = self.now + seconds
        while self.queue and self.queue[0][0] < end:
            self.now, _, actor = heapq.heappop(self.queue)
            wait = next(actor, None)
            if wait is not None:
                self.start(actor, wait)
            if each:
                each()
        self.now = end

    def call(self, lane: int) -> Iterator[float]:
        """Wait for a place, call, learn; again after a refusal."""
        while True:
            while True:
                step = plan(self.window, lane, self.now)
                if isinstance(step, Place):
                    break
                yield min(step.seconds, 1.0) + self.rng.random() * 0.02 + 1e-4
            taken = step.fresh or self.window
            name = f"lane_{lane}"
            self.window = replace(
                taken, used=taken.used + 1, **{name: getattr(taken, name) + 1}
            )
            epoch = self.window.epoch
            began, travel = self.now, self.rng.uniform(*self.latency)
            share = self.rng.uniform(0.3, 0.7)
            yield travel * share
            self.sent += 1
            ok, remaining, retry_after = self.server.call(self.now)
            yield travel * (1 - share)
            answer = Answer(
                status=200 if ok else 429,
                epoch=epoch,
                elapsed=self.now - began,
                limit=self.server.limit,
                remaining=remaining,
                retry_after=None if ok else retry_after,
            )
            self.window = learn(self.window, answer, self.now)
            if ok:
                return
            self.refused += 1

    def sync(self, lane: int = 3) -> Iterator[float]:
        while True:
            yield from self.call(lane)

    def redemption(self) -> Iterator[float]:
        began = self.now
        for lane in (1, 0, 0):
            yield from self.call(lane)
        self.redemptions.append(self.now - began)

    def customers(self, per_minute: float) -> Iterator[float]:
        while True:
            yield self.rng.expovariate(per_minute / 60)
            self.start(self.redemption())

    def queue_of_redemptions(self) -> Iterator[float]:
        while True:
            yield from self.redemption()

    def till(self, per_minute: float) -> Iterator[float]:
        while True:
            yield self.rng.expovariate(per_minute / 60)
            self.till_sent += 1
            self.till_refused += not self.server.call(self.now)[0]


def make_shop(
    *, seed: int = 1, limit: int = 60, span: float = 60.0, believed: float | None = None
) -> Shop:
    return Shop(
        server=Server(limit=limit, span=span),
        window=Window(limit=limit, span=span if believed is None else believed),
        rng=random.Random(seed),
    )

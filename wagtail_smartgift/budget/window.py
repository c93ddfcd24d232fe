"""What we believe of the server's window, and who may still call in it.

Owns the arithmetic of the quota as pure functions of a ``Window``, an answer and
the time. Refuses to touch the database, the network or a clock: ``store`` does.

The server counts in a fixed window that starts with the first call after the last
one ran out; it does not count a call that it refused, and says ``Retry-After``
only then (source: Laravel's ``RateLimiter``; that Smart Gift runs it is inferred
from its answers). So the limit is read from a header, the start of the window from
the first answer in it, and its end only from a refusal.

All times are seconds since 1970 on one clock, all durations are seconds.
"""

import math
from dataclasses import dataclass, replace


#: 0: money in flight · 1: first holds and sales · 2: balance look-ups · 3: catalogue.
LANES = 4

#: Seconds in a window until a refusal teaches another length. Smart Gift's current
#: docs say a minute, its older ones half a minute.
SPAN = 60.0

#: What a lane leaves to the lanes above it even if they have been quiet lately, as
#: a share of the limit. Each leaves more than the one above, or the catalogue would
#: take every place that falls free before a customer's first hold could.
LEAST_RESERVE = (0.0, 0.1, 0.2, 0.4)

#: Standard deviations of a Poisson arrival that a lane keeps back beside its mean.
CAUTION = (0.0, 1.0, 2.0, 3.0)

#: Reserves have melted by this share of the window before its end (1 s of 60), so
#: that the last places are not taken so late that their calls arrive in the server's
#: next window. What others may need melts later (0.5 s before the end): we learn of
#: their calls only with our next answer, and a refusal is worse than an idle place.
LEAD = 1 / 60
FOREIGN_LEAD = 1 / 120

#: Weight of the latest window in the running means.
ALPHA = 0.3

#: A higher count that we reckoned with anyway is noted only if it rose by this share
#: of the limit: it spares the database nine writes in ten.
WORTH_NOTING = 1 / 20

#: Nothing that the server says may stop us, or stretch a window, beyond this.
LONGEST = 3600.0


@dataclass(frozen=True)
class Window:
    """One key's window, as far as we know it.

    ``used`` is what we think the server has counted: our own calls (the sum of the
    lanes) and those of others that share the key. An *epoch* is one window in our
    count; it is *confirmed* by the first answer in it.
    """

    limit: int
    span: float = SPAN
    epoch: int = 0
    confirmed: bool = False
    #: The last confirmed window started between these two; 0: it is not known.
    since: float = 0.0
    began: float = 0.0
    ends_at: float = 0.0
    blocked_until: float = 0.0
    used: int = 0
    lane_0: int = 0
    lane_1: int = 0
    lane_2: int = 0
    lane_3: int = 0
    #: The highest count that an answer told in this epoch, and when.
    seen: int = 0
    seen_at: float = 0.0
    seen_before: int = 0
    #: Calls in a usual window: of our first three lanes, and of others.
    usual_0: float = 0.0
    usual_1: float = 0.0
    usual_2: float = 0.0
    usual_foreign: float = 0.0
    #: The length that the last window cannot have exceeded, if shorter than ``span``.
    early: float = 0.0

    @property
    def lanes(self) -> tuple[int, int, int, int]:
        return (self.lane_0, self.lane_1, self.lane_2, self.lane_3)

    @property
    def foreign(self) -> int:
        """Calls of others in this window that we know of."""
        return max(0, self.used - sum(self.lanes))


@dataclass(frozen=True)
class Answer:
    """What one answer says of the quota; ``epoch`` is when its place was taken."""

    status: int | None
    epoch: int
    elapsed: float = 0.0
    limit: int | None = None
    remaining: int | None = None
    #: Seconds that the server asked to wait.
    retry_after: float | None = None


@dataclass(frozen=True)
class Place:
    """Leave to call while ``used`` is below ``cap``; ``fresh``: in a new window."""

    cap: int
    fresh: Window | None = None


@dataclass(frozen=True)
class Wait:
    """No leave; the first moment at which asking again makes sense.

    ``broken``: Smart Gift has not been answering, and the quota is not the reason.
    """

    seconds: float
    broken: bool = False


def plan(window: Window, lane: int, now: float) -> Place | Wait:
    """Decide whether a call in ``lane`` may be made ``now``."""
    if now < window.blocked_until <= now + LONGEST + 1:
        return Wait(window.blocked_until - now)
    if not is_open(window, now):
        fresh = rolled(window, now)
        return Place(cap=cap(fresh, lane, now), fresh=fresh)
    allowed = cap(window, lane, now)
    if window.used < allowed:
        return Place(cap=allowed)
    return Wait(max(0.0, _opens_at(window, lane) - now))


def is_open(window: Window, now: float) -> bool:
    """Tell whether the window is running.

    One that seems to end later than it can was written before the database's clock
    was set back, and is over.
    """
    return 0 < window.ends_at - now <= window.span + 1


def cap(window: Window, lane: int, now: float) -> int:
    """Return how many calls of everybody's there may be before ``lane`` must stop.

    What the lanes above and the other users of the key will *probably still need in
    this window* is kept back: the mean of a Poisson arrival and ``CAUTION`` deviations
    over the time that is left. It melts away by itself, so that nothing is wasted. The
    first call of a window is let through in every lane: someone has to start it.
    """
    if lane == 0:
        return window.limit
    left = min(1.0, max(0.0, (window.ends_at - now) / window.span))
    expected = _needed(window, lane) * max(0.0, left - LEAD)
    expected += window.usual_foreign * max(0.0, left - FOREIGN_LEAD)
    reserve = expected + CAUTION[lane] * math.sqrt(expected)
    return max(1, math.floor(window.limit - reserve))


def _needed(window: Window, lane: int) -> float:
    """Calls in a whole window by the lanes above ``lane``."""
    above = (window.usual_0, window.usual_1, window.usual_2)[:lane]
    return max(LEAST_RESERVE[lane] * window.limit, sum(above))


def _opens_at(window: Window, lane: int) -> float:
    """Return when ``cap`` will exceed ``used`` if nobody else calls."""
    room = window.limit - window.used - 1
    if lane == 0 or room < 0:
        return window.ends_at
    # expected + caution * sqrt(expected) = room, solved for expected, then for left
    caution = CAUTION[lane]
    expected = ((math.sqrt(caution**2 + 4 * room) - caution) / 2) ** 2
    ours, others = _needed(window, lane), window.usual_foreign
    left = (expected + ours * LEAD + others * FOREIGN_LEAD) / (ours + others)
    if left < LEAD:
        left = FOREIGN_LEAD + expected / others if others else LEAD
    return window.ends_at - min(1.0, left) * window.span


def rolled(window: Window, now: float) -> Window:
    """Return the next epoch, begun by a call that is made ``now``.

    Its end is provisional: the first answer shows whether the server agrees.
    """
    weight = 0.0
    if window.confirmed:
        weight = ALPHA * min(1.0, max(0.0, now - window.began) / window.span)
    quiet = (1 - ALPHA) ** max(0, int((now - window.ends_at) // window.span))

    def mean(usual: float, count: int) -> float:
        return round((usual + weight * (count - usual)) * quiet, 3)

    return replace(
        window,
        epoch=window.epoch + 1,
        confirmed=False,
        ends_at=now + window.span,
        blocked_until=0.0,
        used=0,
        lane_0=0,
        lane_1=0,
        lane_2=0,
        lane_3=0,
        seen=0,
        seen_before=window.seen,
        usual_0=mean(window.usual_0, window.lane_0),
        usual_1=mean(window.usual_1, window.lane_1),
        usual_2=mean(window.usual_2, window.lane_2),
        usual_foreign=mean(window.usual_foreign, window.foreign),
        early=0.0,
    )


def learn(window: Window, answer: Answer, now: float) -> Window:
    """Correct ``window`` by what an answer says that came in ``now``."""
    if answer.limit and answer.limit != window.limit:
        window = replace(window, limit=answer.limit)
    if answer.status == 429:
        return _refused(window, answer, now)
    if answer.limit is None or answer.remaining is None or answer.epoch != window.epoch:
        # A call that was let go in an earlier epoch may have been counted in either.
        return window
    count = max(0, answer.limit - answer.remaining)
    if count == 0:
        # Counted when it was answered: the window had run out, the next not begun.
        return window
    if not window.confirmed:
        return _first_answer(window, answer, count, now)
    started = now - answer.elapsed
    if started > window.seen_at and count <= max(1, window.seen // 2):
        # The server's count cannot fall within a window, and answers that overtook
        # one another differ by little: it began a new one before we expected it.
        return _fell(window, answer, count, now)
    if count <= window.used and count < window.seen + window.limit * WORTH_NOTING:
        return window
    return replace(
        window, used=max(window.used, count), seen=max(window.seen, count), seen_at=now
    )


def _first_answer(window: Window, answer: Answer, count: int, now: float) -> Window:
    old_end = window.began + window.span
    if count > max(window.used, window.seen_before) and (
        window.seen_before and now - old_end < window.span
    ):
        # The count goes on where it was: the old window is still open. A little
        # patience, and this epoch ends too.
        return replace(
            window, used=count, seen=count, seen_at=now, ends_at=now + window.span / 100
        )
    return _confirmed(window, answer, count, now)


def _confirmed(window: Window, answer: Answer, count: int, now: float) -> Window:
    # Only the first call of a window tells when it started: between its sending and
    # its answer. Ends are reckoned from the later moment, which is never too early.
    return replace(
        window,
        confirmed=True,
        since=now - answer.elapsed if count == 1 else 0.0,
        began=now,
        ends_at=now + window.span,
        used=max(window.used, count),
        seen=count,
        seen_at=now,
    )


def _fell(window: Window, answer: Answer, count: int, now: float) -> Window:
    span, early = window.span, 0.0
    longest = now - window.since if window.since else math.inf
    if longest < 0.95 * span:
        early = longest
        if window.early:
            # Once may be a cache that the vendor emptied; twice is a shorter window.
            span, early = _whole(max(window.early, longest)), 0.0
    fresh = replace(rolled(window, now), span=span)
    return replace(_confirmed(fresh, answer, count, now), early=early)


def _refused(window: Window, answer: Answer, now: float) -> Window:
    if answer.retry_after is None:
        known = window.confirmed and window.ends_at > now
        wait = window.ends_at - now if known else window.span / 60
    else:
        wait = min(LONGEST, max(0.0, answer.retry_after))
    until = now + wait
    if answer.epoch != window.epoch:
        return replace(window, blocked_until=max(window.blocked_until, until))
    span = _span_by_refusal(window, until, now)
    if not (window.confirmed and abs(window.ends_at - until) <= 1):
        # Retry-After is cut to whole seconds: the truth may be a second later.
        until += 1
    else:
        until = window.ends_at
    return replace(
        window,
        span=span,
        used=max(window.used, window.limit),
        seen=max(window.seen, window.limit),
        seen_at=now,
        ends_at=until,
        blocked_until=until,
    )


def _span_by_refusal(window: Window, until: float, now: float) -> float:
    """Return the length of a window that ends within a second of ``until``."""
    if not window.began:
        return window.span
    rolled_at = window.ends_at - window.span
    overran = rolled_at - window.began - window.span <= 2 and now - rolled_at <= 2
    if not (window.confirmed or overran):
        return window.span  # whose window this is we do not know
    shortest, longest = until - 1 - window.began, until + 1 - window.since
    if window.span < shortest <= 2.5 * window.span:
        return min(LONGEST, math.ceil(shortest))
    if window.confirmed and window.since and longest < window.span:
        return _whole(longest)
    return window.span


def _whole(seconds: float) -> float:
    """Cut to whole seconds: windows are configured in them."""
    return float(max(1, math.floor(seconds)))

"""The rate limit, by the rule of Laravel's ``RateLimiter``.

A window starts with the first call after the last one ran out. A refused call is not
counted and prolongs nothing. Every answer has the limit and what remains; only a 429
says when to come back, in whole seconds, cut off rather than rounded.
"""

from dataclasses import dataclass

from .behaviour import Behaviour


@dataclass
class _Window:
    began: float
    ends: float
    hits: int


class RateLimiter:
    """Counts calls per key on the sandbox's clock. The sandbox's lock guards it."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def hit(self, key: str, behaviour: Behaviour, now: float) -> dict[str, str] | None:
        """Count a call; return None when there is room, else the headers of its 429."""
        if not behaviour.rate_limit:
            return None
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = _Window(now, now + behaviour.rate_window, 0)
            self._windows[key] = window
        if window.hits < behaviour.rate_limit:
            window.hits += 1
            return None
        return self.refusal(key, behaviour, now)

    def forgive(self, key: str) -> None:
        """Take the last call back out of the count."""
        window = self._windows.get(key)
        if window is not None and window.hits:
            window.hits -= 1

    def headers(self, key: str, behaviour: Behaviour, now: float) -> dict[str, str]:
        """Return the headers of an answer that is not a 429."""
        if not behaviour.rate_limit:
            return {}
        window = self._windows.get(key)
        hits = 0 if window is None or window.ends <= now else window.hits
        headers = {
            "X-RateLimit-Limit": str(behaviour.rate_limit),
            "X-RateLimit-Remaining": str(max(0, behaviour.rate_limit - hits)),
        }
        if behaviour.reset_header_always and window is not None:
            headers["X-RateLimit-Reset"] = str(int(window.ends))
        return headers

    def refusal(
        self, key: str, behaviour: Behaviour, now: float, seconds: float | None = None
    ) -> dict[str, str]:
        """Return the headers of a 429; ``seconds`` overrides the wait."""
        window = self._windows.get(key)
        if seconds is None:
            until = now if window is None else int(window.began) + behaviour.rate_window
            seconds = max(0.0, until - int(now))
        return {
            "X-RateLimit-Limit": str(behaviour.rate_limit),
            "X-RateLimit-Remaining": "0",
            "Retry-After": str(int(seconds)),
            "X-RateLimit-Reset": str(int(now) + int(seconds)),
        }

    def clear(self) -> None:
        self._windows.clear()

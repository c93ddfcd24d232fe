"""When a webhook is sent again, and when nobody tries any more: pure functions.

The pauses are those of the Standard Webhooks specification, three days in all.
"""

from wagtail_smartgift.choices import DeliveryProblem


MINUTE, HOUR = 60.0, 3600.0
#: Seconds between an attempt and the next.
PAUSES = (
    *(5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR),
    *(10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
)
#: Share of a pause that chance adds, so that what failed together comes back apart.
JITTER = 0.1
#: Seconds that a server may ask to be left alone for; more would be never.
LONGEST_ASKED = 24 * HOUR
#: Seconds for which an endpoint that did not answer is sent nothing else.
LONGEST_REST = 5 * MINUTE
#: Seconds after which nobody waits for an endpoint any more. More than all pauses: it is
#: for what was never tried, because the endpoint rested.
PATIENCE = 96 * HOUR

_OVERLOADED = {429, 502, 503, 504}
_NO_ANSWER = {
    DeliveryProblem.NAME,
    DeliveryProblem.ADDRESS,
    DeliveryProblem.TLS,
    DeliveryProblem.TIMEOUT,
    DeliveryProblem.CONNECTION,
    DeliveryProblem.SECRET,
}


def problem_of(status: int) -> DeliveryProblem | None:
    """Judge an answer: only 2xx means that the message has arrived."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return DeliveryProblem.REDIRECT
    return DeliveryProblem.GONE if status == 410 else DeliveryProblem.STATUS


def pause_after(
    tries: int, *, asked: float | None = None, chance: float = 0.0
) -> float | None:
    """Return the seconds until the next attempt, after ``tries`` of them; None: no more.

    ``asked`` is what the server asked for (``Retry-After``), ``chance`` between 0 and 1.
    """
    if tries > len(PAUSES):
        return None
    pause = PAUSES[max(tries, 1) - 1] * (1 + JITTER * chance)
    return max(pause, min(asked or 0.0, LONGEST_ASKED))


def rest_after(
    problem: DeliveryProblem, status: int | None, pause: float | None
) -> float | None:
    """Return the seconds for which the whole endpoint is left alone; None: not at all.

    That is for one that does not answer or has too much to do. An answer that is an
    error may be about this message alone.
    """
    if problem not in _NO_ANSWER and status not in _OVERLOADED:
        return None
    return min(LONGEST_REST if pause is None else pause, LONGEST_REST)

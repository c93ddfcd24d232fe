"""How the doctor says what it found."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    OK = "ok"
    #: It works, and somebody should look.
    WARNING = "warning"
    #: Something does not work, or will not for long.
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and what to do about it."""

    level: Level
    about: str
    says: str
    advice: str = ""


def ok(about: str, says: str) -> Finding:
    return Finding(Level.OK, about, says)


def warning(about: str, says: str, advice: str) -> Finding:
    return Finding(Level.WARNING, about, says, advice)


def fault(about: str, says: str, advice: str) -> Finding:
    return Finding(Level.FAULT, about, says, advice)


def guarded(about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Look at one thing; what breaks on the way is a finding, too."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - a doctor who faints is of no use
        yield fault(
            about,
            f"could not be looked at ({type(error).__name__})",
            "Mend the faults above first, then look again.",
        )


def ago(seconds: float) -> str:
    """Print an age as people say it."""
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(max(0.0, seconds))} seconds ago"

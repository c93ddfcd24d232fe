"""Does this host go by the database's clock, which all hosts have in common?"""

from collections.abc import Iterator

from django.utils import timezone

from wagtail_smartgift import clock
from wagtail_smartgift.services.doctor.findings import Finding, fault, ok, warning


#: Seconds between the two beyond which somebody should look after the host's clock.
_ODD, _WRONG = 2, 30


def host() -> Iterator[Finding]:
    """Compare this host's clock with the database's.

    Money goes by the database's. What is for people (when something happened, until when
    a hold is shown to last) and webhooks' signatures go by the host's.
    """
    before = timezone.now()
    theirs = clock.now()
    # Asked somewhere in between: the answer took its time, too.
    ours = before + (timezone.now() - before) / 2
    seconds = (ours - theirs).total_seconds()
    if abs(seconds) <= _ODD:
        yield ok("host clock", "this host's agrees with the database's")
        return
    say = fault if abs(seconds) > _WRONG else warning
    yield say(
        "host clock",
        f"this host's is {abs(seconds):.0f} seconds "
        f"{'ahead of' if seconds > 0 else 'behind'} the database's",
        "Have both keep the time with NTP.",
    )

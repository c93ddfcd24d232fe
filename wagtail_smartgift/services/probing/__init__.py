"""The probe: asking a Smart Gift, with a voucher of one's own, how it behaves.

Owns the questions and the record of the answers (``CapabilityRecord``). Refuses to
guess: an answer that was lost, or a refusal that may have had another reason, is "not
known". ``docs/how-to/probe.md`` tells when to run it.
"""

from wagtail_smartgift.services.probing.lab import PENNY
from wagtail_smartgift.services.probing.of_sales import MOST_ORDERS, Sale
from wagtail_smartgift.services.probing.questions import QUESTIONS, Question
from wagtail_smartgift.services.probing.run import (
    MOST_PENNIES,
    NotProbed,
    Report,
    Scope,
    probe,
)


__all__ = [
    "MOST_ORDERS",
    "MOST_PENNIES",
    "PENNY",
    "QUESTIONS",
    "NotProbed",
    "Question",
    "Report",
    "Sale",
    "Scope",
    "probe",
]

"""Every word that a journal keeps has a sentence for staff."""

import ast
from pathlib import Path

import pytest

from wagtail_smartgift.choices import AttentionReason
from wagtail_smartgift.client import RefusalReason
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.services import sales_journal
from wagtail_smartgift.views.desk.words import ORDER_OPERATIONS, reason


SERVICES = Path(__file__).parents[3] / "wagtail_smartgift" / "services"
#: Functions that write a journal's word, and which of their arguments it is.
WRITERS = {
    "_write_failure": (1, 2),
    "_write_replay": (2,),
    "_give_up": (1,),
    "_to_person": (1,),
    "fail": (2,),
    "hand_over": (1,),
}
#: The journals of deliveries have words of their own (``DeliveryProblem``).
OTHERS = ("delivering.py", "delivery_rounds.py", "inbox.py", "probing", "doctor")


def written_words():
    """Collect the texts that services write as the reason of a step."""
    found = set()
    for path in SERVICES.rglob("*.py"):
        if any(part in OTHERS for part in path.relative_to(SERVICES).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [word.value for word in node.keywords if word.arg == "reason"]
            given += [
                node.args[place]
                for place in WRITERS.get(name, ())
                if place < len(node.args)
            ]
            for argument in given:
                found |= {
                    part.value
                    for part in ast.walk(argument)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return found - {""}


def test_the_words_are_found():
    assert {"no_answer", "worker_died", "not_applied", "taken_over"} <= written_words()


@pytest.mark.parametrize(
    "word",
    sorted(
        {
            *written_words(),
            *(one.value for one in RefusalReason),
            *AttentionReason.values,
            *ERROR_CODES,
            # Of an order: what was refused, and what an error that decides nothing is.
            *("items", "customer", "delivery", "payment_method_id", "other"),
            *("quota", "configuration", "no_answer", "not_sent"),
            *("over", "not_held", "refused", "not_found", "found"),
            sales_journal.NOT_SOLD,
            sales_journal.CODE_REFUSED,
        }
    ),
)
def test_each_word_has_a_sentence(word):
    sentence = str(reason(word))

    assert sentence != word
    assert sentence.endswith(".")


def test_a_word_without_a_sentence_stands_for_itself():
    assert reason("news") == "news"
    assert reason("") == ""


def test_what_the_journal_of_an_order_records_has_words():
    assert set(ORDER_OPERATIONS) == {
        sales_journal.PLACE,
        sales_journal.CHECK,
        sales_journal.SETTLE,
    }

"""What an operation answers, and how it refuses, in Laravel's shapes."""

from dataclasses import dataclass, field
from typing import Any

from . import messages


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body, before HTTP gets hold of it."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An operation said no, and changed nothing."""

    def __init__(
        self, errors: dict[str, list[str]], *, generic_in_docs: bool = False
    ) -> None:
        self.errors = errors
        #: The documentation prints this case with the general summary.
        self.generic_in_docs = generic_in_docs
        super().__init__(self.first)

    @property
    def first(self) -> str:
        return next(iter(self.errors.values()))[0]

    def answer(self, summary: str) -> Answer:
        """Return the 422; ``summary`` is the behaviour ``error_summary``."""
        if summary == "generic" or (summary == "documented" and self.generic_in_docs):
            message = messages.INVALID_DATA
        else:
            message = self.first
            more = sum(map(len, self.errors.values())) - 1
            if more:
                message += messages.MORE_ERRORS.format(
                    count=more, s="" if more == 1 else "s"
                )
        return Answer(422, {"message": message, "errors": self.errors})


def refuse(field_name: str, message: str, *, generic_in_docs: bool = False) -> Refusal:
    """Build the refusal with one message about one field."""
    return Refusal({field_name: [message]}, generic_in_docs=generic_in_docs)

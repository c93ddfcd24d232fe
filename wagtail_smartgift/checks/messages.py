"""How a check says what it found."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning


APP = "wagtail_smartgift"

Messages = Iterator[CheckMessage]


def error(number: str, message: str, hint: str) -> Error:
    """Report what certainly fails."""
    return Error(message, hint=hint, id=f"{APP}.{number}")


def warning(number: str, message: str, hint: str) -> Warning:
    """Report what fails for most shops."""
    return Warning(message, hint=hint, id=f"{APP}.{number}")

"""What a failed message is about: a mail, a payment, a report. The package that handles its queue can tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from bridge.sql.rows import FailedMessage


@dataclass(frozen=True, slots=True)
class Subject:
    """How people name it, and the page about it; no address for those who may not open that."""

    text: str
    address: str = ""


# By the messages' ids; what cannot be told is left out.
Finder = Callable[[HttpRequest, Sequence[FailedMessage]], Mapping[int, Subject]]
_finders: dict[str, Finder] = {}


def tell_subjects(queue: str, finder: Finder) -> None:
    """Let the page of failed messages ask `finder` about those of this queue."""
    _finders[queue] = finder


def subjects_of(request: HttpRequest, queue: str, failed: Sequence[FailedMessage]) -> Mapping[int, Subject]:
    finder = _finders.get(queue)
    return finder(request, failed) if finder is not None and failed else {}

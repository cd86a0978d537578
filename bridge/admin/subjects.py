"""What a message is about: a mail, a payment, a report. The package that handles its queue can tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of a page. `text` is the beginning of its body, which is untrusted JSON of any shape."""

    msg_id: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """How people name it, and the page about it; no address for those who may not open that."""

    text: str
    address: str = ""


# By the messages' ids; what cannot be told is left out.
Finder = Callable[[HttpRequest, Sequence[Shown]], Mapping[int, Subject]]
_finders: dict[str, Finder] = {}


def tell_subjects(queue: str, finder: Finder) -> None:
    """Let the pages about messages ask `finder` about those of this queue."""
    _finders[queue] = finder


def subjects_of(request: HttpRequest, queue: str, shown: Sequence[Shown]) -> Mapping[int, Subject]:
    finder = _finders.get(queue)
    return finder(request, shown) if finder is not None and shown else {}

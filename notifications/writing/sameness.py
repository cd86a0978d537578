"""What other packages know of two messages that ask for the same mail."""

from collections.abc import Callable
from dataclasses import replace

from notifications.writing.catalogue import Content
from notifications.writing.request import EmailRequest

# Names what a mail is about, in words that are the same for all mails that say the same; empty if each says its own.
Names = Callable[[Content], str]

_known: dict[str, Names] = {}


def tell_same_mails(template: str, names: Names) -> None:
    """Let `names` say which mails of a template are the same. It may ask the database, and is asked at each attempt."""
    _known[template] = names


def with_sameness(request: EmailRequest) -> EmailRequest:
    names = _known.get(request.template)
    return request if names is None else replace(request, same_as=names(request.content))

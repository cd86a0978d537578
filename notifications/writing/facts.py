"""What is known about the thing that a mail is about, besides what its message says: that may come from anybody.

Other packages find it, by the id and for the recipient alone: a stranger's message must not show somebody's affairs. A
mail is whole without it, so what cannot be read is left out.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import DataError, ProgrammingError, connection, transaction

from bridge.rights import RowsHidden
from bridge.seldom import Seldom
from notifications.writing.catalogue import Thing
from notifications.writing.request import EmailRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a payment is for, in the catalogue's words: a consultation, or a package of so many `sessions`.

    `starts_at` is the time that was chosen; whether it was free then, the mail about the booking says.
    """

    name: str
    starts_at: datetime | None = None
    sessions: int | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """A consultation that will take place, as far as is known now. `revision` grows with each change of its row."""

    id: UUID
    starts_at: datetime
    minutes: int
    revision: int
    is_online: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """`of_customer`: the recipient was found to be the customer whom the thing belongs to, whatever else is known."""

    purchase: Purchase | None = None
    meeting: Meeting | None = None
    of_customer: bool = field(default=False, compare=False)


NONE = Facts()
# `(id, recipient)` → what is known, where the thing is the recipient's.
Finder = Callable[[UUID, str], Facts]

_finders: dict[Thing, Finder] = {}
_seldom = Seldom()


def tell_facts(thing: Thing, finder: Finder) -> None:
    """Let `finder` say what is known about things of this kind; it is asked at each attempt."""
    _finders[thing] = finder


def facts_about(request: EmailRequest) -> Facts:
    """What is known now. Raises what Postgres raises while it is away."""
    thing, key = request.content.about()
    finder = _finders.get(thing)
    if finder is None:
        return NONE
    try:
        id_ = UUID(key)
    except ValueError:
        return NONE
    try:
        with _undisturbed():
            return finder(id_, request.recipient)
    except (DataError, ProgrammingError, RowsHidden) as error:
        # A right that our role lacks, a column that an older Supabase does not have, an odd value of somebody's.
        if _seldom.tell(thing):
            logger.warning("mails about each %s say less than they could: %s", thing, str(error).partition("\n")[0])
        return NONE


def _undisturbed() -> AbstractContextManager[object]:
    """A savepoint within a transaction: what Postgres refuses ends that otherwise."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()

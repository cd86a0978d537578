"""Writes to the tables of Supabase. Triggers of the other side run in them, and may raise anything."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, transaction

from payments.errors import PaymentError

MOST_CHARACTERS = 200
# What a trigger says may quote the row that it did not like.
_PERSONAL = re.compile(r"[^\s@'\"(]+@[^\s@'\")]+|(?<![\w-])\+?\d(?:[\s()-]*\d){9,14}(?![\w-])")


class ForeignRefusal(PaymentError):
    """The database did not take a write to a foreign table; the text says why, without a person's data."""

    code = "foreign_refusal"


@contextmanager
def foreign_write() -> Iterator[None]:
    """Do the writes of the block, or none of them: `ForeignRefusal` then, and the transaction around it goes on.

    Every error of the database counts, as a trigger may raise any: only a connection that is gone is none of it, since
    nothing can be written then. An outage with a living connection, like a Postgres that only reads, is met again by
    the writes to our own tables that follow, and ends the transaction there.
    """
    try:
        with transaction.atomic():
            yield
            with connection.cursor() as cursor:
                # Deferred triggers would raise at the end of the transaction and take all of it along.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as error:
        if _is_gone():
            raise
        raise ForeignRefusal(_reason(error)) from error


def _is_gone() -> bool:
    raw = connection.connection
    return raw is None or raw.closed != 0 or connection.needs_rollback


def _reason(error: DatabaseError) -> str:
    cause = error.__cause__ or error
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(error).partition("\n")[0]
    said = _PERSONAL.sub("***", said)[:MOST_CHARACTERS]
    return f"{type(cause).__name__} {getattr(cause, 'pgcode', None) or ''}".strip() + f": {said}"

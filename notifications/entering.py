"""Enters a mail in the log in one round trip, with its locks, where nothing speaks against sending it.

Most mails are the first attempt of a message that nobody asked for before, to a mailbox that gets few. Whatever else a
mail is, `notifications.mail_log` finds out step by step, with nothing entered.
"""

from functools import cache
from typing import Any

from django.conf import settings
from django.db import ProgrammingError, connection
from django.db.models import Field
from django.utils import timezone

from bridge.breaker.record import IN_TROUBLE, answer_values
from bridge.message import Message
from bridge.sql.prepared import Part, execute
from notifications.models import HOLDING_KEY, EmailMessage
from notifications.recipients import LOCK_MAILBOX, WINDOW

# The first half of the advisory locks' keys: only ours, so that nobody else's numbers collide with them.
_KEYS = 7_262_031
# Whoever enters a mail of a key waits here for others who do.
LOCK_KEY = f"SELECT pg_advisory_xact_lock({_KEYS}, hashtext(%(dedupe_key)s))"

_TABLE = EmailMessage._meta.db_table
# What the partial indexes want to be told stands there in words: a kept plan is made before it knows any value.
_HOLDING = f"status IN ({', '.join(repr(str(status)) for status in HOLDING_KEY)})"
_ENTER = f"""INSERT INTO {_TABLE} ({{columns}})
SELECT {{values}}
WHERE {{unasked}}
  AND (SELECT count(*) FROM (
         SELECT FROM {_TABLE}
         WHERE mailbox = %(mailbox)s AND mailbox <> '' AND created_at > %(recent)s AND {_HOLDING}
         LIMIT %(limit)s) AS few) < %(limit)s
ON CONFLICT (queue, msg_id) DO NOTHING
RETURNING id, {IN_TROUBLE}
"""  # noqa: S608 # Names of ours.
_UNASKED = f"NOT EXISTS (SELECT FROM {_TABLE} WHERE dedupe_key = %(dedupe_key)s AND dedupe_key <> '' AND {_HOLDING})"


def enter(row: EmailMessage, message: Message) -> bool:
    """Insert the row, if its message has none and its mail may be sent; returns whether that was done.

    A row that was entered knows whether its provider is in no trouble (`provider_is_calm`).
    """
    fields = _fields()
    values: dict[str, Any] = {
        field.attname: field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields
    }
    values |= answer_values(settings.EMAIL_PROVIDER, message)
    values |= {"limit": settings.EMAIL_HOURLY_LIMIT, "recent": timezone.now() - WINDOW}
    try:
        with connection.cursor() as cursor:
            execute(cursor, _statements(keyed=bool(row.dedupe_key)), values)
            entered: tuple[Any, ...] | None = cursor.fetchone()
    except ProgrammingError:
        # A table of this version that `migrate` has not made yet. Step by step it is found out whether that matters.
        if connection.in_atomic_block:
            raise
        return False
    if entered is None:
        return False
    row.pk, in_trouble = entered
    row._state.adding, row._state.db = False, connection.alias
    row.provider_is_calm = not in_trouble
    return True


@cache
def _fields() -> tuple["Field[Any, Any]", ...]:
    return tuple(field for field in EmailMessage._meta.local_concrete_fields if not field.primary_key)


@cache
def _statements(*, keyed: bool) -> list[Part]:
    columns = {field.attname: _type_of(field) for field in _fields()}
    insert = _ENTER.format(
        columns=", ".join(columns),
        values=", ".join(f"%({column})s::{kind}" for column, kind in columns.items()),
        unasked=_UNASKED if keyed else "true",
    )
    # Each statement of a string sees what those before it waited for, and all of them are one transaction.
    return [Part(text) for text in ([LOCK_KEY] if keyed else []) + [LOCK_MAILBOX, insert]]


def _type_of(field: "Field[Any, Any]") -> str:
    """Without its length: what is too long has to be refused and not cut."""
    return str(field.db_type(connection)).partition("(")[0]

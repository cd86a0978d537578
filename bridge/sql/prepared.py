"""Statements that are sent again and again are planned once: four fifths of what a small one costs is its plan.

A session keeps what was prepared in it, and nobody relies on that: where it turns out to be lost, the same is sent in
full, and nothing more is prepared in that session. (Poolers that share sessions are refused when a connection begins.)

A plan is used for a few seconds. It was made for tables as large as they were then: what suits an empty queue would
read all of a full one, and nothing tells of that before Postgres next analyzes the table.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper
from psycopg2.errors import FeatureNotSupported, InvalidSqlStatementName

# How long a plan is used, and how soon a statement has to come again to be worth one.
SECONDS = 5.0
# Postgres would plan the first five anew as well, and then compare.
_GENERIC = "SET LOCAL plan_cache_mode TO force_generic_plan;\n"
# Of a named value; a percent sign that is none is written twice.
PLACEHOLDER = re.compile(r"%%|%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a string, with named placeholders; `planned`: its plan may be kept.

    Then Postgres must know the type of each value from the statement alone.
    """

    text: str
    planned: bool = True


@dataclass(slots=True)
class _Plan:
    call: str
    name: str
    until: float


@dataclass(slots=True)
class _Session:
    """What was prepared in a session, and when which statement was sent there last."""

    plans: dict[str, _Plan] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    # Nobody else's, whoever had the session before.
    prefix: str = field(default_factory=lambda: f"bridge_{secrets.token_hex(4)}")
    made: int = 0
    keeps: bool = True
    # What a string prepared that ended with an error stays in the session, and nobody knows how far it got.
    is_littered: bool = False

    def render(self, parts: list[Part], now: float) -> tuple[str, dict[str, _Plan]]:
        """The string to send, and the plans that there are when it went well."""
        sent = ["DEALLOCATE ALL"] if self.is_littered else []
        fresh: dict[str, _Plan] = {}
        for part in parts:
            is_frequent = now - self.seen.get(part.text, -SECONDS) < SECONDS
            self.seen[part.text] = now
            plan = self.plans.get(part.text) if part.planned else None
            if plan is not None and plan.until > now:
                sent.append(plan.call)
                continue
            if plan is not None:
                # Gone whether the string goes well or not.
                sent.append(f"DEALLOCATE {self.plans.pop(part.text).name}")
            if part.planned and is_frequent:
                self.made += 1
                fresh[part.text] = plan = _prepared(f"{self.prefix}_{self.made}", part.text, now + SECONDS)
                sent += [_prepare(plan.name, part.text), plan.call]
            else:
                sent.append(part.text)
        return (_GENERIC if fresh or any(part.text in self.plans for part in parts) else "") + ";\n".join(sent), fresh


_sessions: "WeakKeyDictionary[Any, _Session]" = WeakKeyDictionary()


def execute(cursor: CursorWrapper, parts: list[Part], values: Mapping[str, Any]) -> None:
    """Send the statements as one string, which is one transaction.

    Within one of the caller's, where a setting would outlive the statements, and for whoever watches what is asked, as
    they are.
    """
    connection.ensure_connection()
    whole = ";\n".join(part.text for part in parts)
    session = _sessions.setdefault(connection.connection, _Session())
    if connection.in_atomic_block or connection.execute_wrappers or not session.keeps:
        cursor.execute(whole, values)
        return
    string, fresh = session.render(parts, monotonic())
    try:
        cursor.execute(string, values)
    except BaseException as error:
        session.plans.clear()
        session.is_littered = True
        is_lost = isinstance(error, DatabaseError) and isinstance(
            error.__cause__, InvalidSqlStatementName | FeatureNotSupported
        )
        if not is_lost:
            raise
        # Nothing of the string was done. What a plan returns may be of another type since pgmq was changed.
        session.keeps = isinstance(error.__cause__, FeatureNotSupported)
        cursor.execute(whole, values)
    else:
        session.is_littered = False
        session.plans |= fresh


def _prepared(name: str, text: str, until: float) -> _Plan:
    names = _names(text)
    given = ", ".join(f"%({each})s" for each in names)
    return _Plan(f"EXECUTE {name} ({given})" if names else f"EXECUTE {name}", name, until)


def _prepare(name: str, text: str) -> str:
    numbers = {each: number for number, each in enumerate(_names(text), 1)}
    body = PLACEHOLDER.sub(lambda found: f"${numbers[found[1]]}" if found[1] else found[0], text)
    return f"PREPARE {name} AS {body}"


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(found for found in PLACEHOLDER.findall(text) if found))

"""Plays a step of the scenario and learns which messages it made."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from balansity.sandbox.demo.expectation import Expected, Step
from balansity.sandbox.demo.families import DOMAIN
from balansity.sandbox.errors import SandboxError

EMAIL_QUEUE = "email_queue"
# Their handlers are not a part of this version; whoever adds one tells the demo what to expect of it.
KEPT_QUEUES = ("report_generation_queue", "analytics_queue")

# Only this transaction's own.
_OWN_ROWS = "WHERE xmin::text = pg_current_xact_id()::xid::text ORDER BY msg_id"
_OWN_MAILS = f"""
SELECT msg_id, coalesce(message ->> 'to', ''), coalesce(message ->> 'subject', ''), coalesce(message ->> 'template', '')
FROM pgmq.q_{EMAIL_QUEUE} {_OWN_ROWS}
"""  # noqa: S608


class UnexpectedMessages(SandboxError):
    """The tables answered a step with other messages than Supabase's triggers and functions are known to send."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is on its way, and how it must end."""

    msg_id: int
    subject: str
    expected: Expected


@dataclass(frozen=True, slots=True)
class Played:
    """What a step made: mail messages, and ids in queues that nobody drains.

    `foreign` are mail messages to people who are none of the demo's: cron also reminds families that were in the
    database before.
    """

    sent: tuple[Sent, ...]
    kept: dict[str, tuple[int, ...]]
    foreign: tuple[int, ...] = ()


def play(step: Step) -> Played:
    """Commit the step. Raises `UnexpectedMessages`, and commits nothing, when it makes others than it should."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in step.statements:
            cursor.execute(statement.text, statement.values)
        cursor.execute(_OWN_MAILS)
        mails = cursor.fetchall()
        kept = {}
        for queue in KEPT_QUEUES:
            cursor.execute(f"SELECT msg_id FROM pgmq.q_{queue} {_OWN_ROWS}")  # noqa: S608
            kept[queue] = tuple(msg_id for (msg_id,) in cursor.fetchall())
        return _match(step, mails, kept)


def _match(step: Step, mails: list[tuple[Any, ...]], kept: dict[str, tuple[int, ...]]) -> Played:
    waiting: defaultdict[tuple[str, str], list[Expected]] = defaultdict(list)
    for expected in step.expects:
        waiting[expected.template, expected.recipient].append(expected)
    sent, foreign = [], []
    for msg_id, recipient, subject, template in mails:
        if waiting[template, recipient]:
            sent.append(Sent(msg_id, subject, waiting[template, recipient].pop(0)))
        elif recipient and not recipient.endswith(f"@{DOMAIN}"):
            foreign.append(msg_id)
        else:
            raise UnexpectedMessages(
                f"{step.title}: nobody asked for {template or 'a message'} to {recipient or 'nobody'}"
            )
    missing = [expected.template or "a message" for rest in waiting.values() for expected in rest]
    if missing:
        raise UnexpectedMessages(f"{step.title}: no message came for {', '.join(missing)}")
    for queue, ids in kept.items():
        if len(ids) != step.kept:
            raise UnexpectedMessages(f"{step.title}: {len(ids)} messages in {queue} instead of {step.kept}")
    return Played(tuple(sent), kept, tuple(foreign))

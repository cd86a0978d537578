"""Plays a step of the scenario and learns which messages it made."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from sandbox.demo.families import DOMAIN
from sandbox.demo.mail.expectation import Expected, Step
from sandbox.demo.reports.expectation import Asked
from sandbox.errors import SandboxError

EMAIL_QUEUE = "email_queue"
REPORT_QUEUE = "report_generation_queue"
# Nobody handles it; whoever adds a handler tells the demo what to expect of it.
KEPT_QUEUES = ("analytics_queue",)

# Only this transaction's own.
_OWN_ROWS = "WHERE xmin::text = pg_current_xact_id()::xid::text ORDER BY msg_id"
_OWN_MAILS = f"""
SELECT msg_id, coalesce(message ->> 'to', ''), coalesce(message ->> 'subject', ''), coalesce(message ->> 'template', '')
FROM pgmq.q_{EMAIL_QUEUE} {_OWN_ROWS}
"""  # noqa: S608
_OWN_REPORTS = f"""
SELECT msg_id, message ->> 'assessment_id', message ->> 'user_id' FROM pgmq.q_{REPORT_QUEUE} {_OWN_ROWS}
"""  # noqa: S608


class UnexpectedMessages(SandboxError):
    """The tables answered a step with other messages than Supabase's triggers and functions are known to send."""


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A message of the mail queue, wherever it is by now. Texts are empty where it has none."""

    msg_id: int
    recipient: str
    subject: str
    template: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail message that is on its way, and how it must end."""

    msg_id: int
    subject: str
    expected: Expected


@dataclass(frozen=True, slots=True)
class Played:
    """What a step made: mail messages, report messages, and ids in queues that nobody drains.

    `foreign` are mail messages to people who are none of the demo's: cron also reminds families that were in the
    database before.
    """

    sent: tuple[Sent, ...]
    asked: tuple[Asked, ...]
    kept: dict[str, tuple[int, ...]]
    foreign: tuple[int, ...] = ()


def play(step: Step) -> Played:
    """Commit the step. Raises `UnexpectedMessages`, and commits nothing, when it makes others than it should."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in step.statements:
            cursor.execute(statement.text, statement.values)
        cursor.execute(_OWN_MAILS)
        mails = [MailMessage(*row) for row in cursor.fetchall()]
        cursor.execute(_OWN_REPORTS)
        asked = _match_reports(step, cursor.fetchall())
        kept = {}
        for queue in KEPT_QUEUES:
            cursor.execute(f"SELECT msg_id FROM pgmq.q_{queue} {_OWN_ROWS}")  # noqa: S608
            kept[queue] = tuple(msg_id for (msg_id,) in cursor.fetchall())
            if len(kept[queue]) != step.kept:
                raise UnexpectedMessages(f"{step.title}: {len(kept[queue])} messages in {queue} instead of {step.kept}")
        sent, rest, missing = match(step.expects, mails)
        nobodys = [mail for mail in rest if not mail.recipient or mail.recipient.endswith(f"@{DOMAIN}")]
        if nobodys:
            what, to = nobodys[0].template or "a message", nobodys[0].recipient or "nobody"
            raise UnexpectedMessages(f"{step.title}: nobody asked for {what} to {to}")
        if missing:
            raise UnexpectedMessages(f"{step.title}: no message came for {_names(missing)}")
        return Played(sent, asked, kept, tuple(mail.msg_id for mail in rest))


def match(
    expects: Sequence[Expected], mails: Sequence[MailMessage]
) -> tuple[tuple[Sent, ...], list[MailMessage], list[Expected]]:
    """Give each expectation the oldest message of its template to its recipient; returns what is left of both, too."""
    waiting: defaultdict[tuple[str, str], list[Expected]] = defaultdict(list)
    for expected in expects:
        waiting[expected.template, expected.recipient].append(expected)
    sent, rest = [], []
    for mail in mails:
        candidates = waiting[mail.template, mail.recipient]
        if candidates:
            sent.append(Sent(mail.msg_id, mail.subject, candidates.pop(0)))
        else:
            rest.append(mail)
    return tuple(sent), rest, [expected for candidates in waiting.values() for expected in candidates]


def _match_reports(step: Step, rows: Sequence[tuple[int, str, str]]) -> tuple[Asked, ...]:
    waiting = {(expected.assessment_id, expected.user_id): expected for expected in step.reports}
    asked = []
    for msg_id, assessment_id, user_id in rows:
        expected = waiting.pop((assessment_id, user_id), None)
        if expected is None:
            raise UnexpectedMessages(f"{step.title}: nobody asked for a report about {assessment_id}")
        asked.append(Asked(msg_id, expected))
    if waiting:
        raise UnexpectedMessages(f"{step.title}: no message came for {len(waiting)} reports")
    return tuple(asked)


def _names(missing: Sequence[Expected]) -> str:
    return ", ".join(expected.template or "a message" for expected in missing)

"""Looks at what became of the messages: in the queue, in the archive, in the mail log and in the mailbox."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from balansity.sandbox.demo.messages import EMAIL_QUEUE
from balansity.sandbox.mailbox import Attempt, MailStore, Verdict
from bridge.message import Outcome
from bridge.pgmq import Counts, pgmq_queue

# The Message-ID of our mails names the message that asked for them.
_MESSAGE_ID = re.compile(rf"<{EMAIL_QUEUE}\.(\d+)\.[0-9a-f]+@[^>]+>")


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive says about a message; `outcome` is empty for one that somebody else archived."""

    outcome: str
    reason: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What can be seen of one message. `archived` is `None` while it is queued; `log_status` empty without a row."""

    archived: Archived | None
    log_status: str
    tries: tuple[Attempt, ...]

    @property
    def mails(self) -> tuple[Attempt, ...]:
        return tuple(attempt for attempt in self.tries if attempt.verdict is Verdict.ACCEPTED)

    @property
    def delays(self) -> tuple[float, ...]:
        """Seconds between the tries, by the mail server's clock."""
        times = [attempt.at for attempt in self.tries]
        return tuple((later - earlier).total_seconds() for earlier, later in itertools.pairwise(times))


class Observer:
    """Reads the state from a given moment on: what an earlier run left in the same database is not looked at."""

    def __init__(self, mail_folder: Path) -> None:
        self.mailbox = MailStore(mail_folder)
        self._archive: dict[int, Archived] = {}
        self._before = self._last_id()

    def counts(self, queue: str) -> Counts:
        return pgmq_queue(queue).counts()

    def still_queued(self, msg_ids: Iterable[int], queue: str = EMAIL_QUEUE) -> set[int]:
        return set(_ids(f"SELECT msg_id FROM pgmq.q_{queue} WHERE msg_id = ANY(%s)", [*msg_ids]))  # noqa: S608

    def untouched(self, msg_ids: Iterable[int], queue: str) -> set[int]:
        """Those that are still queued and were never read."""
        query = f"SELECT msg_id FROM pgmq.q_{queue} WHERE msg_id = ANY(%s) AND read_ct = 0"  # noqa: S608
        return set(_ids(query, [*msg_ids]))

    def is_being_sent(self, msg_id: int) -> bool:
        """Whether a worker noted that it hands the mail to the server now."""
        return self._log_statuses([msg_id]).get(msg_id) == "sending"

    def archived(self, msg_ids: Iterable[int]) -> dict[int, Archived]:
        """The outcomes that are written by now. An outcome is final, so each is read once."""
        wanted = set(msg_ids)
        for msg_id in wanted - self._archive.keys() - self.still_queued(wanted):
            written = pgmq_queue(EMAIL_QUEUE).archived_history(msg_id)
            if written is not None:
                error = written.get("last_error") or {}
                self._archive[msg_id] = Archived(
                    outcome=str(written.get("outcome") or ""),
                    reason=str(written.get("reason") or ""),
                    attempts=int(written.get("attempts") or 0),
                    error=str(error.get("message") or ""),
                )
        return {msg_id: self._archive[msg_id] for msg_id in wanted & self._archive.keys()}

    def observe(self, msg_ids: dict[int, str]) -> dict[int, Observed]:
        """Look at the messages, given with their recipients."""
        archived, statuses = self.archived(msg_ids), self._log_statuses(msg_ids)
        by_message: defaultdict[int, list[Attempt]] = defaultdict(list)
        by_recipient: defaultdict[str, list[Attempt]] = defaultdict(list)
        for attempt in sorted(self.mailbox.attempts(), key=lambda attempt: attempt.at):
            message = _message_of(attempt)
            if message is not None:
                by_message[message].append(attempt)
            elif not attempt.message_id:
                # The server refused the recipient and never saw the mail. Whom it refuses gets one message only.
                by_recipient[attempt.recipient].append(attempt)
        return {
            msg_id: Observed(
                archived.get(msg_id),
                statuses.get(msg_id, ""),
                tuple(by_message[msg_id]) or tuple(by_recipient[recipient]),
            )
            for msg_id, recipient in msg_ids.items()
        }

    def strangers(self, known: Iterable[int]) -> list[str]:
        """What nobody asked for: messages in the queue or the archive, and mails."""
        ids = set(known)
        found = []
        for table in (f"q_{EMAIL_QUEUE}", f"a_{EMAIL_QUEUE}"):
            later = _ids(f"SELECT msg_id FROM pgmq.{table} WHERE msg_id > %s", self._before)  # noqa: S608
            found += [f"message {msg_id} in pgmq.{table}" for msg_id in later if msg_id not in ids]
        for attempt in self.mailbox.attempts():
            message = _message_of(attempt)
            if attempt.message_id and message not in ids:
                found.append(f"a mail «{attempt.subject}» with the Message-ID {attempt.message_id}")
        files = {attempt.file for attempt in self.mailbox.attempts()}
        return found + [
            f"the mail {file}, which no try belongs to" for file in self.mailbox.files() if file not in files
        ]

    def _log_statuses(self, msg_ids: Iterable[int]) -> dict[int, str]:
        query = "SELECT msg_id, status FROM notifications_emailmessage WHERE queue = %s AND msg_id = ANY(%s)"
        with connection.cursor() as cursor:
            cursor.execute(query, [EMAIL_QUEUE, [*msg_ids]])
            return dict(cursor.fetchall())

    def _last_id(self) -> int:
        highest = [f"(SELECT max(msg_id) FROM pgmq.{table}_{EMAIL_QUEUE})" for table in "qa"]  # noqa: S608
        return _ids(f"SELECT coalesce(greatest({', '.join(highest)}), %s)", 0)[0]


def _ids(query: str, value: int | list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, [value])
        return [msg_id for (msg_id,) in cursor.fetchall()]


def _message_of(attempt: Attempt) -> int | None:
    found = _MESSAGE_ID.fullmatch(attempt.message_id)
    return int(found[1]) if found else None


def count(archived: Iterable[Archived], outcome: Outcome) -> int:
    return sum(each.outcome == outcome for each in archived)

"""Looks at what became of the mail messages: in the queue, in the archive, in the mail log and in the mailbox."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from sandbox.demo.archive import Archive, Archived
from sandbox.demo.mail.messages import EMAIL_QUEUE, MailMessage
from sandbox.mailbox import Attempt, MailStore, Verdict

# The Message-ID of our mails names the message that asked for them.
_MESSAGE_ID = re.compile(rf"<{EMAIL_QUEUE}\.(\d+)\.[0-9a-f]+@[^>]+>")
# One statement, so that a message which is archived at this moment is seen once.
_LATER = " UNION ALL ".join(
    "SELECT msg_id, coalesce(message ->> 'to', ''), coalesce(message ->> 'subject', ''),"  # noqa: S608
    f" coalesce(message ->> 'template', '') FROM pgmq.{table}_{EMAIL_QUEUE} WHERE msg_id > %(before)s"
    for table in "qa"
)


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
        self.archive = Archive(EMAIL_QUEUE)

    def is_being_sent(self, msg_id: int) -> bool:
        """Whether a worker noted that it hands the mail to the server now."""
        return self._log_statuses([msg_id]).get(msg_id) == "sending"

    def messages(self) -> list[MailMessage]:
        """All that came since, whoever sent it and whatever became of it."""
        with connection.cursor() as cursor:
            cursor.execute(f"{_LATER} ORDER BY 1", {"before": self.archive.before})
            return [MailMessage(*row) for row in cursor.fetchall()]

    def observe(self, msg_ids: dict[int, str]) -> dict[int, Observed]:
        """Look at the messages, given with their recipients."""
        archived, statuses = self.archive.outcomes(msg_ids), self._log_statuses(msg_ids)
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
        found = [
            f"the mail message {message.msg_id} ({message.template})"
            for message in self.messages()
            if message.msg_id not in ids
        ]
        attempts = self.mailbox.attempts()
        found += [
            f"a mail «{attempt.subject}» with the Message-ID {attempt.message_id}"
            for attempt in attempts
            if attempt.message_id and _message_of(attempt) not in ids
        ]
        files = {attempt.file for attempt in attempts}
        return found + [
            f"the mail {file}, which no try belongs to" for file in self.mailbox.files() if file not in files
        ]

    def _log_statuses(self, msg_ids: Iterable[int]) -> dict[int, str]:
        query = "SELECT msg_id, status FROM notifications_emailmessage WHERE queue = %s AND msg_id = ANY(%s)"
        with connection.cursor() as cursor:
            cursor.execute(query, [EMAIL_QUEUE, [*msg_ids]])
            return dict(cursor.fetchall())


def _message_of(attempt: Attempt) -> int | None:
    found = _MESSAGE_ID.fullmatch(attempt.message_id)
    return int(found[1]) if found else None

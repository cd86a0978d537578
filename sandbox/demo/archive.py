"""What became of a queue's messages, from a given moment on: an earlier run in the same database is left alone."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from bridge.message import Outcome, Reason
from bridge.pgmq import Counts, pgmq_queue

_REASONS: dict[str, str] = {
    Reason.RETRIES_EXHAUSTED: "retries",
    Reason.PERMANENT_ERROR: "permanent",
    Reason.INVALID_MESSAGE: "invalid",
    Reason.WORKER_LOST: "worker lost",
    Reason.REFUSED: "refused",
}


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive says about a message; `outcome` is empty for one that somebody else archived."""

    outcome: str
    reason: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Endings:
    """How many messages ended in which way."""

    done: int = 0
    failed: int = 0
    duplicates: int = 0


class Archive:
    """A queue and its archive. The moment is that in which this is made."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self._outcomes: dict[int, Archived] = {}
        # Names of queues are our own constants, here and below.
        highest = ", ".join(f"(SELECT max(msg_id) FROM pgmq.{table}_{queue})" for table in "qa")  # noqa: S608
        self.before = _ids(f"SELECT coalesce(greatest({highest}), %s)", 0)[0]

    def counts(self) -> Counts:
        return pgmq_queue(self.queue).counts()

    def still_queued(self, msg_ids: Iterable[int]) -> set[int]:
        return set(_ids(f"SELECT msg_id FROM pgmq.q_{self.queue} WHERE msg_id = ANY(%s)", [*msg_ids]))  # noqa: S608

    def untouched(self, msg_ids: Iterable[int]) -> set[int]:
        """Those that are still queued and were never read."""
        query = f"SELECT msg_id FROM pgmq.q_{self.queue} WHERE msg_id = ANY(%s) AND read_ct = 0"  # noqa: S608
        return set(_ids(query, [*msg_ids]))

    def waiting(self) -> list[int]:
        """Messages that came since and did not end yet."""
        return _ids(f"SELECT msg_id FROM pgmq.q_{self.queue} WHERE msg_id > %s", self.before)  # noqa: S608

    def ended(self) -> list[int]:
        """Messages that came since and are archived."""
        return _ids(f"SELECT msg_id FROM pgmq.a_{self.queue} WHERE msg_id > %s", self.before)  # noqa: S608

    def outcomes(self, msg_ids: Iterable[int]) -> dict[int, Archived]:
        """What is written of these by now. An outcome is final, so each is read once."""
        wanted = set(msg_ids)
        for msg_id in wanted - self._outcomes.keys() - self.still_queued(wanted):
            written = pgmq_queue(self.queue).archived_history(msg_id)
            if written is not None:
                error = written.get("last_error") or {}
                self._outcomes[msg_id] = Archived(
                    outcome=str(written.get("outcome") or ""),
                    reason=str(written.get("reason") or ""),
                    attempts=int(written.get("attempts") or 0),
                    error=str(error.get("message") or ""),
                )
        return {msg_id: self._outcomes[msg_id] for msg_id in wanted & self._outcomes.keys()}

    def endings(self) -> Endings:
        """How those that came since have ended so far."""
        found = Counter(archived.outcome for archived in self.outcomes(self.ended()).values())
        return Endings(found[Outcome.SUCCEEDED], found[Outcome.FAILED], found[Outcome.DUPLICATE])


def _ids(query: str, value: int | list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query, [value])
        return [msg_id for (msg_id,) in cursor.fetchall()]


def ending(outcome: str, reason: str, attempts: int) -> str:
    """How a message ended, in a few words for a table."""
    match outcome:
        case Outcome.SUCCEEDED:
            return "sent" if attempts == 1 else f"sent at try {attempts}"
        case Outcome.FAILED:
            return f"failed ({_REASONS.get(reason, reason)})"
        case _:
            return outcome or "archived by others"

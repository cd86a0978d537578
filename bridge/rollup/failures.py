"""What failed for good and waits for somebody: found, counted and grouped without a look through the archive."""

from dataclasses import dataclass
from datetime import datetime

from bridge.pgmq import pgmq_queue
from bridge.sql.wanted import Wanted

__all__ = ["ALL", "FailureGroup", "OpenFailure", "Wanted", "count_failures", "failure_groups", "open_failures"]


ALL = Wanted()


@dataclass(frozen=True, slots=True)
class OpenFailure:
    """A message that failed and was neither put back nor discarded. `error` is its beginning, `pattern` its kind."""

    msg_id: int
    archived_at: datetime
    reason: str
    error_type: str
    error: str
    pattern: str
    trace_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one kind: how many, when the first and the last, and one of them (`example`, an id)."""

    reason: str
    error_type: str
    pattern: str
    count: int
    first_at: datetime
    last_at: datetime
    example: int


def open_failures(queue: str, wanted: Wanted = ALL, *, limit: int = 50, before: int | None = None) -> list[OpenFailure]:
    """The newest first, a page of them, older than the id `before`. Raises `QueueMissing`."""
    return [OpenFailure(*row) for row in pgmq_queue(queue).open_failures(most=limit, before=before, **wanted.values())]


def failure_groups(queue: str, wanted: Wanted = ALL, *, most: int = 200) -> list[FailureGroup]:
    """The largest first. Raises `QueueMissing`."""
    return [FailureGroup(*row) for row in pgmq_queue(queue).failure_groups(most=most, **wanted.values())]


def count_failures(queue: str, wanted: Wanted = ALL, *, most: int = 100_000) -> int:
    """How many there are, counted up to `most`. Raises `QueueMissing`."""
    return pgmq_queue(queue).count_failures(most=most, **wanted.values())

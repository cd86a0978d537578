"""What the queries about many messages return."""

from dataclasses import dataclass
from datetime import datetime

from bridge.histogram import Histogram
from bridge.message import History, Token


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of a queue are in which state; `oldest_seconds` is the age of the oldest visible one.

    With `is_about` there are so many that some of these numbers are estimates.
    """

    ready: int
    retrying: int
    running: int
    in_line: int
    delayed: int
    oldest_seconds: float | None
    is_about: bool = False

    @property
    def total(self) -> int:
        return self.ready + self.retrying + self.running + self.in_line + self.delayed


@dataclass(frozen=True, slots=True)
class Outlook:
    """When there is something to do in a queue.

    `due`: seconds until a message turns visible, 0 or less when one is, `None` for an empty queue. Of a queue that is
    held: the one message that may be read all the same, and the seconds until it is free by itself, if that is known.
    """

    due: float | None
    is_held: bool
    let_through: int | None
    free_in: float | None


@dataclass(frozen=True, slots=True)
class Archived:
    """How many messages ended how; `None`: archived by somebody else.

    What failed and was put back is history: it is in `put_back` alone. `refused` are those of the failed ones that our
    rules forbid.
    """

    outcomes: dict[str | None, int]
    refused: int = 0
    put_back: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """Messages that ended in one way, in one hour if it is given; their attempts, and how long they waited and ran.

    `outcome` is one of `Outcome`, or `other` for what somebody else archived. Without an hour it may also say how
    failed ones stand by now: `open`, `put_back`, `discarded`. `reason` is empty where none of `Reason` is known.
    """

    hour: datetime | None
    outcome: str
    reason: str
    count: int
    attempts: int
    waiting: Histogram
    running: Histogram


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """`text` is the beginning of its body, for people to read; `None`: not asked for, or too large to be read."""

    msg_id: int
    archived_at: datetime
    history: History
    reason: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is due and that nobody has taken yet. `text` is its body, if asked for and small."""

    token: Token
    priority: int
    enqueued_at: datetime
    untried: bool
    text: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a message is, and what is written on it in the archive, by whomever: senders can write there as well."""

    msg_id: int
    is_queued: bool
    is_archived: bool
    outcome: str | None
    requeued_as: str | None
    was_discarded: bool


@dataclass(frozen=True, slots=True)
class QueuedRow:
    """A message of the queue as it was locked. `state` is one of `MessageState`; `kept`: its work is done already."""

    token: Token
    state: str
    kept: bool

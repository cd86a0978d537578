"""A message of a queue, the token that proves who owns it, and what is written on it between attempts."""

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

# A sender's own headers or body may carry anything under our key; counts past this are taken for nonsense.
MOST_ATTEMPTS = 10_000


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DUPLICATE = "duplicate"


class MessageState(StrEnum):
    """What a message that is in its queue waits for."""

    READY = "ready"
    RETRYING = "retrying"
    RUNNING = "running"
    IN_LINE = "in_line"
    DELAYED = "delayed"


class Reason(StrEnum):
    """Why a message failed for good. `DISCARDED`: an operator ended it before its time."""

    RETRIES_EXHAUSTED = "retries_exhausted"
    PERMANENT_ERROR = "permanent_error"
    INVALID_MESSAGE = "invalid_message"
    WORKER_LOST = "worker_lost"
    REFUSED = "refused"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Token:
    """Proof of ownership: every read, claim and retry changes `vt`, so an old token opens nothing."""

    msg_id: int
    vt: datetime


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that is valid jsonb and still cannot be read here: nested too deeply, a number of thousands of digits."""

    why: str


@dataclass(frozen=True, slots=True)
class LastError:
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a message ended."""

    outcome: Outcome
    reason: Reason | None = None
    error: LastError | None = None
    original: int | None = None

    def patch(self) -> dict[str, Any]:
        """What of it is written on the message."""
        error = {"type": self.error.type, "message": self.error.message} if self.error else None
        return {"outcome": self.outcome, "reason": self.reason, "last_error": error, "original": self.original}


@dataclass(frozen=True, slots=True)
class History:
    """What the bridge wrote on a message so far; times are ISO 8601 in UTC.

    `attempts` counts executions that started, so a worker that died has used one. `next_retry_at` is set only between
    an orderly retry and the next start: a message whose attempts are used up without it was lost with its worker.
    `own_tries` counts how often the bridge itself set to work on the message, to give it up.
    """

    attempts: int = 0
    own_tries: int = 0
    trace_id: str = ""
    first_attempt_at: str | None = None
    last_attempt_at: str | None = None
    next_retry_at: str | None = None
    last_error: LastError | None = None
    requeued_from: int | None = None

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Read what stands on a row. Senders can write there too, so anything odd counts as not written."""
        if not isinstance(raw, dict):
            return cls()
        error = raw.get("last_error")
        return cls(
            attempts=_count(raw.get("attempts")),
            own_tries=_count(raw.get("own_tries")),
            trace_id=_text(raw.get("trace_id"), 64) or "",
            first_attempt_at=_text(raw.get("first_attempt_at"), 40),
            last_attempt_at=_text(raw.get("last_attempt_at"), 40),
            next_retry_at=_text(raw.get("next_retry_at"), 40),
            last_error=LastError(str(error.get("type", ""))[:200], str(error.get("message", ""))[:2000])
            if isinstance(error, dict)
            else None,
            requeued_from=raw["requeued_from"] if type(raw.get("requeued_from")) is int else None,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One read of one message, without its body: the bridge only carries it on.

    `kind` is the body's JSON type, or `too_large` for what is not looked into. `kept`: its work is done already, and
    its outcome waits to be written.
    """

    queue: str
    token: Token
    read_ct: int
    kind: str
    history: History = field(default_factory=History)
    kept: bool = False

    @property
    def msg_id(self) -> int:
        return self.token.msg_id


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its body, which is untrusted JSON of any shape.

    `begun` is when this process started the attempt that it makes, by its monotonic clock.
    """

    queue: str
    token: Token
    read_ct: int
    enqueued_at: datetime
    body: Any
    history: History = field(default_factory=History)
    begun: float | None = field(default=None, compare=False)

    @property
    def msg_id(self) -> int:
        return self.token.msg_id

    @property
    def seconds(self) -> float | None:
        """How long the attempt takes so far; `None` where this process makes none."""
        return None if self.begun is None else time.monotonic() - self.begun

    def with_history(self, history: History) -> Self:
        return replace(self, history=history)


@dataclass(frozen=True, slots=True)
class Next:
    """The delivery whose attempt number `attempts` is to begin, for `lease` seconds, as soon as another has ended."""

    token: Token
    lease: int
    attempts: int
    trace_id: str
    worker: str


@dataclass(frozen=True, slots=True)
class Done:
    """A message that was done together with others: when its one attempt began, by Postgres' clock, and its length."""

    token: Token
    trace_id: str
    begun: datetime
    seconds: float


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MOST_ATTEMPTS else 0


def _text(value: object, most: int) -> str | None:
    """One line at most: a line break in a trace id would forge lines of the log."""
    return value if isinstance(value, str) and 0 < len(value) <= most and value.isprintable() else None

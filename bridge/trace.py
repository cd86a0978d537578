"""What this thread works on, for log lines and for rows that a handler writes: the trace id, and the delivery.

Whoever begins to work on a message says so here (`traced`), so that each line that is written meanwhile, by us, by a
handler or by a library, carries the same keys without a word of its own. `event` names what a line tells of.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Work:
    """A message at work. `attempt` is known once it is claimed."""

    queue: str
    msg_id: int
    attempt: int | None = None
    begun: float = field(default_factory=time.monotonic)


_current: ContextVar[str] = ContextVar("trace_id", default="")
_work: ContextVar[Work | None] = ContextVar("work", default=None)


def new_trace_id() -> str:
    """Return 16 hexadecimal digits: enough to tell years of messages apart, short enough for a log line."""
    return uuid.uuid4().hex[:16]


def current_trace_id() -> str:
    """Return the id of the delivery at work, or an empty string outside one."""
    return _current.get()


@contextmanager
def traced(
    trace_id: str,
    *,
    queue: str = "",
    msg_id: int | None = None,
    attempt: int | None = None,
    begun: float | None = None,
) -> Iterator[None]:
    """Make `trace_id` the current one for the length of the block, and the message the one at work.

    Its seconds count from the monotonic time `begun`, or from now.
    """
    trace = _current.set(trace_id)
    began = time.monotonic() if begun is None else begun
    work = _work.set(None if msg_id is None else Work(queue, msg_id, attempt, began))
    try:
        yield
    finally:
        _work.reset(work)
        _current.reset(trace)


def attempt_begins(number: int) -> None:
    """Note which attempt of the message at work this is; its seconds count from now."""
    work = _work.get()
    if work is not None:
        work.attempt, work.begun = number, time.monotonic()


def event(name: str, **more: Any) -> dict[str, Any]:
    """The `extra` of a log line about a delivery: what happened, by a name that stays."""
    return {"event": name, **more}


def work_fields() -> dict[str, Any]:
    """What each line says of the message at work; nothing where there is none."""
    work = _work.get()
    if work is None:
        return {}
    seconds = round(time.monotonic() - work.begun, 3)
    return {"queue": work.queue, "msg_id": work.msg_id, "attempt": work.attempt, "seconds": seconds}

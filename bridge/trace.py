"""The trace id of the delivery that this thread works on, for log lines and for rows that a handler writes."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("trace_id", default="")


def new_trace_id() -> str:
    """Return 16 hexadecimal digits: enough to tell years of messages apart, short enough for a log line."""
    return uuid.uuid4().hex[:16]


def current_trace_id() -> str:
    """Return the id of the delivery at work, or an empty string outside one."""
    return _current.get()


@contextmanager
def traced(trace_id: str) -> Iterator[None]:
    """Make `trace_id` the current one for the length of the block."""
    reset = _current.set(trace_id)
    try:
        yield
    finally:
        _current.reset(reset)

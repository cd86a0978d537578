"""An operator who stops a queue for a while, and lets it go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Literal

from django.db import InterfaceError, OperationalError, connection

PATIENCE_SECONDS = 60.0


@contextmanager
def paused(queue: str, *, over: Event) -> Iterator[None]:
    """Stop the queue for the length of the block. Who cannot reach Postgres tries again, as a person would."""
    _insist("pause", queue, over=over)
    try:
        yield
    finally:
        _insist("resume", queue, over=None)


def _insist(what: Literal["pause", "resume"], queue: str, *, over: Event | None) -> None:
    # Models exist only after Django is set up.
    from bridge.operations import pausing  # noqa: PLC0415
    from bridge.operations.actor import cli_actor  # noqa: PLC0415

    act = pausing.pause if what == "pause" else pausing.resume
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            act(queue, cli_actor(), "chaos")
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline or (over is not None and over.is_set()):
                raise
            time.sleep(0.5)
        finally:
            connection.close()

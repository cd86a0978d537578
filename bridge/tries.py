"""Every attempt of a message, the newest twenty, as it stands in its history: for people who ask why it took so long.

The statements that begin and end attempts write them (`bridge_added` in the migrations), and no other; `bridge_known`
has bounded what senders may have written under our key.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from bridge.message import LastError

MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt.

    `is_lost`: it began, and nobody ever said how it ended; its worker died, or was ended. `is_underway`: it began, and
    its time is not over. One with neither, and without an error, did its work; `seconds` are unknown where another
    process wrote its end.
    """

    number: int
    started_at: datetime | None
    seconds: float | None = None
    worker: str = ""
    error: LastError | None = None
    is_lost: bool = False
    is_underway: bool = False


def this_process() -> str:
    """How an attempt names the process that makes it: as `ps` does on its host."""
    return f"{_host()}:{os.getpid()}"


@cache
def _host() -> str:
    return socket.gethostname()[: MOST_NAME - 12]


def tries_of(history: Mapping[str, Any], *, now: datetime) -> list[Try]:
    """The attempts that `history`, as `bridge_history` returns it, tells of, the oldest first.

    One that is under way, or whose worker died and that nobody has found since, is not among `tries` yet.
    """
    found = [_try(raw) for raw in history.get("tries") or [] if isinstance(raw, dict)]
    lease = moment_of(history.get("leased_until"))
    if lease is not None and not history.get("outcome"):
        number, started = history.get("attempts"), moment_of(history.get("last_attempt_at"))
        worker, is_over = str(history.get("worker") or ""), lease <= now
        found.append(
            Try(
                number=number if type(number) is int else 0,
                started_at=started,
                worker=worker[:MOST_NAME],
                is_lost=is_over,
                is_underway=not is_over,
            )
        )
    return found


def _try(raw: Mapping[str, Any]) -> Try:
    number, seconds, error = raw.get("number"), raw.get("seconds"), raw.get("error")
    return Try(
        number=number if type(number) is int else 0,
        started_at=moment_of(raw.get("started_at")),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        worker=str(raw.get("worker") or ""),
        error=LastError(str(error.get("type", "")), str(error.get("message", ""))) if isinstance(error, dict) else None,
        is_lost=raw.get("lost") is True,
    )


def moment_of(text: object) -> datetime | None:
    """A time with its zone; `None` for anything else that a sender may have put there."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None

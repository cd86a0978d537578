# ruff: noqa: INP001 - a script of the image, no package
"""Ask a worker through the broker whether it takes tasks; exit 0 if it does. Its name is `worker@` and this host's.

A ping alone would not do: a worker that has stopped to consume answers it as well.
"""

import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from balansity.celery import app
from bridge.daemon.publisher import Publisher
from bridge.errors import BrokerAway

ANSWER_SECONDS = 5.0
# Whoever takes tasks takes one in much less.
BETWEEN_LOOKS_SECONDS = 3.0


def ask(worker: str) -> dict[str, Any]:
    answer: Any = app.control.inspect([worker], timeout=ANSWER_SECONDS)._request("lines")
    if not answer or worker not in answer:
        sys.exit(f"{worker} does not answer through the broker")
    found: dict[str, Any] = answer[worker]
    return found


def waiting(lines: list[str]) -> str:
    """Name a line in which a task waits."""
    with Publisher(app) as publisher:
        return next((line for line in lines if publisher.line_length(line)), "")


def check(worker: str) -> None:
    before = ask(worker)
    if left := {*before["started_for"]} - {*before["taken"]}:
        sys.exit(f"{worker} takes no tasks from {', '.join(sorted(left))} any more: restart it")
    # One that is busy takes no more, and has proven that it takes some.
    line = "" if before["in_hand"] else waiting(before["taken"])
    if not line:
        return
    time.sleep(BETWEEN_LOOKS_SECONDS)
    after = ask(worker)
    if not after["in_hand"] and after["ever"] == before["ever"] and waiting([line]):
        sys.exit(f"{worker} is idle while tasks wait in {line}: restart it")


if __name__ == "__main__":
    try:
        check(sys.argv[1] if len(sys.argv) > 1 else f"worker@{socket.gethostname()}")
    except BrokerAway as error:
        sys.exit(f"the broker does not answer: {error}")
    except app.connection_for_read().connection_errors as error:
        sys.exit(f"the broker does not answer: {type(error).__name__}")

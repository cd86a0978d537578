"""What a delivery writes into the log: each line says of which message, whatever the format."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from celery.exceptions import Ignore, Retry

from balansity.json_lines import JsonLines
from balansity.logs import RedactingFormatter, TraceFilter
from bridge.daemon.drain import Drain
from bridge.errors import DuplicateMessage, NotYet, PermanentError, Refused
from bridge.message import Delivery, Message
from bridge.pgmq import PgmqQueue
from tests.integration.bridge.test_task import handler_that
from tests.support.deliveries import TRACE_ID

Read = Callable[[], Delivery]
Run = Callable[[Delivery], None]
KEYS = {"event", "queue", "msg_id", "attempt", "trace_id", "seconds"}


class Heard(logging.Handler):
    """Lines as the console gets them, in both formats."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(TraceFilter())
        self.lines: list[dict[str, Any]] = []
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonLines("worker").format(record)))
        self.texts.append(RedactingFormatter("[%(trace_id)s] %(message)s").format(record))

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard, loggers = Heard(), [logging.getLogger(name) for name in ("bridge", "tests.handler")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(heard)
        logger.setLevel(logging.DEBUG)
    yield heard
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(heard)
        logger.setLevel(level)


def raising(error: Exception) -> Callable[[Message], Any]:
    def act(message: Message) -> None:
        logging.getLogger("tests.handler").info("on the way")
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "event"),
    [
        (lambda message: None, "succeeded"),
        (raising(RuntimeError("anna.petrova@example.ru was refused")), "retry_scheduled"),
        (raising(PermanentError("never")), "failed"),
        (raising(Refused("not for us")), "refused"),
        (raising(DuplicateMessage("the same", original=1)), "duplicate"),
        (raising(NotYet("others go first", seconds=3)), "put_back"),
    ],
)
def test_each_line_says_of_which_message(
    act: Callable[[Message], Any], event: str, probe: PgmqQueue, read_one: Read, run_delivery: Run,
    heard: Heard, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    msg_id = probe.send({})
    handler_that(monkeypatch, act)
    with suppress(Retry, Ignore, PermanentError):
        run_delivery(read_one())
    assert event in heard.events()
    for line in heard.lines:
        if line["event"] == "note" and line["message"] != "on the way":
            continue
        assert {*line} >= KEYS, line
        known = {"queue": probe.name, "msg_id": msg_id, "attempt": 1, "trace_id": TRACE_ID}
        assert line.items() >= known.items(), line
    assert all(text.startswith(f"[{TRACE_ID}] ") for text in heard.texts if str(msg_id) in text)
    assert "anna.petrova" not in json.dumps(heard.lines) + "".join(heard.texts)


def test_a_delivery_that_is_stale_says_so(probe: PgmqQueue, read_one: Read, run_delivery: Run, heard: Heard) -> None:
    msg_id = probe.send({})
    delivery = read_one()
    probe.release([delivery.token])
    with suppress(Ignore):
        run_delivery(delivery)
    (line,) = [line for line in heard.lines if line["event"] == "stale"]
    assert (line["queue"], line["msg_id"], line["trace_id"]) == (probe.name, msg_id, TRACE_ID)


def test_what_the_bridge_gives_up_says_of_which_message(probe: PgmqQueue, drain: Drain, heard: Heard) -> None:
    msg_id = probe.send([])
    drain.look()
    (line,) = [line for line in heard.lines if line.get("event") == "failed"]
    assert (line["queue"], line["msg_id"], line["reason"]) == (probe.name, msg_id, "invalid_message")
    assert {*line} >= KEYS - {"attempt"}

"""Log lines as JSON: what each has, and that no secret gets into one, however it comes."""

import json
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from pytest_django import Settings

from balansity.celery import app, print_no_banner
from balansity.celery.banner import QuietBeat
from balansity.gunicorn_lines import Lines
from balansity.json_lines import MOST_BYTES, JsonLines
from balansity.logs import TraceFilter, logging_settings
from balansity.processes import BEAT, BRIDGE, WEB, WORKER, kind_of
from balansity.redaction import hide
from bridge.trace import attempt_begins, event, traced

MAIL, JWT, PHONE = "anna.petrova@example.ru", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef", "+7 912 345-67-89"
KEY = "live_AbCdEf0123456789AbCdEf0123456789"
GIVEN = "the-secret-of-this-process"


def record_of(message: Any = "hello", *args: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    record = logging.LogRecord("bridge.outcome", logging.WARNING, __file__, 1, message, args, exc_info)
    record.__dict__.update(extra)
    TraceFilter().filter(record)
    return record


def told(*args: Any, **extra: Any) -> dict[str, Any]:
    line = JsonLines("worker").format(record_of(*args, **extra))
    assert len(line.splitlines()) == 1
    assert len(line.encode()) <= MOST_BYTES
    found: dict[str, Any] = json.loads(line)
    return found


def error_info(error: Exception) -> Any:
    try:
        raise error
    except Exception:  # noqa: BLE001
        return sys.exc_info()


def test_a_line_says_when_how_bad_by_whom_and_where() -> None:
    line = told("done at %s", 7)
    assert [*line] == ["time", "level", "logger", "process", "message"]
    assert line["time"].endswith("Z")
    assert "T" in line["time"]
    assert {**line, "time": ""} == {
        "time": "",
        "level": "warning",
        "logger": "bridge.outcome",
        "process": "worker",
        "message": "done at 7",
    }


def test_a_line_of_a_delivery_says_of_which() -> None:
    with traced("abc123", queue="email_queue", msg_id=7):
        attempt_begins(2)
        ours, libraries = told("done", **event("succeeded", delay=3)), told("a line of a library")
    assert ours["seconds"] >= 0
    known = {"queue": "email_queue", "msg_id": 7, "attempt": 2, "trace_id": "abc123"}
    assert ours.items() >= {**known, "event": "succeeded", "delay": 3}.items()
    assert libraries.items() >= {**known, "event": "note"}.items()
    assert not {"queue", "msg_id", "event", "trace_id", "seconds"} & {*told("outside")}


def test_what_a_line_says_itself_stays() -> None:
    with traced("abc", queue="email_queue", msg_id=7):
        line = told("x", **event("taken_away", queue="report_queue", msg_id=9))
    assert (line["queue"], line["msg_id"]) == ("report_queue", 9)


@pytest.mark.parametrize("hidden", [MAIL, JWT, PHONE, KEY, GIVEN])
def test_no_secret_is_in_any_value_however_deep(hidden: str) -> None:
    hide([GIVEN])
    try:
        line = json.dumps(
            told(
                "to %s",
                hidden,
                exc_info=error_info(ValueError(hidden)),
                plain=hidden,
                nested={"a": [{"b": (hidden, {hidden})}], hidden: 1},
                odd=ValueError(hidden),
                raw=hidden.encode(),
                deep=[[[[[[hidden]]]]]],
            ),
            ensure_ascii=False,
        )
    finally:
        hide([])
    assert hidden not in line
    assert hidden.rpartition("@")[0][1:] not in line if "@" in hidden else True


@pytest.mark.parametrize(
    "name",
    ["password", "smtp_password", "SECRET_KEY", "apiKey", "X-Api-Key", "Authorization", "Set-Cookie", "cookies",
     "accessToken", "refresh_token", "SENTRY_DSN", "private_key", "csrfmiddlewaretoken", "sessionid", "userPassword"],
)  # fmt: skip
def test_what_is_called_a_secret_is_none_that_is_shown(name: str) -> None:
    line = told("x", **{name: "hunter2"}, headers={name: ["hunter2"]}, more=[{name: {"value": "hunter2"}}])
    assert "hunter2" not in json.dumps(line)


@pytest.mark.parametrize("name", ["queue", "msg_id", "trace_id", "seconds", "reason", "error_type", "delay", "keys"])
def test_what_is_not_is_shown(name: str) -> None:
    assert told("x", **{name: "value"})[name] == "value"


def test_a_telephone_that_is_a_number_is_masked() -> None:
    line = told("x", phone=79123456789, count=12)
    assert (line["phone"], line["count"]) == ("7***", 12)


def test_odd_values_are_json_all_the_same() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    circle: list[Any] = []
    circle.append(circle)
    line = told("half \udc80 \x85 \u2028 \x00 line\nnext", odd=Odd(), nan=float("nan"), circle=circle, numbers={1: 2})
    assert line["odd"] == "<Odd>"
    assert line["nan"] == "nan"
    assert line["numbers"] == {"1": 2}
    assert line["message"].startswith("half \udc80")


@pytest.mark.parametrize("letter", ["x", "ж", "\x00", "\udc80", "\u2028"])
def test_no_line_is_too_long_for_docker(letter: str) -> None:
    many = {f"name{number}": {f"n{inner}": letter * 1_000 for inner in range(99)} for number in range(99)}
    with traced("abc", queue="email_queue", msg_id=7):
        line = told(letter * 10_000, exc_info=error_info(ValueError(letter * 10_000 + "its end")), **many)
    assert (line["queue"], line["msg_id"], line["cut"]) == ("email_queue", 7, True)
    assert line["exception"].endswith("its end")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (WEB, "web"),
        (("/srv/.venv/bin/gunicorn", "--workers", "3"), "web"),
        (("/x/gunicorn/__main__.py",), "web"),
        (WORKER, "worker"),
        (("/x/celery/__main__.py", *WORKER[1:], "-Q", "email"), "worker"),
        (BEAT, "beat"),
        ((*BEAT, "--loglevel", "info"), "beat"),
        (BRIDGE[1:], "bridge"),
        (("manage.py", "migrate"), "cli"),
        ((*BEAT[:-1], "inspect", "ping"), "cli"),
        ((), "cli"),
    ],
)
def test_a_line_names_the_kind_of_its_process(arguments: tuple[str, ...], kind: str) -> None:
    assert kind_of(arguments) == kind


@pytest.mark.parametrize("style", ["text", "json"])
def test_every_handler_writes_in_the_chosen_format(style: str, tmp_path: Any) -> None:
    handlers = logging_settings("info", tmp_path, style)["handlers"]
    assert {handler["formatter"] for handler in handlers.values()} == {style}


@pytest.fixture
def gunicorns_loggers() -> Iterator[None]:
    """As they were: pytest listens at loggers that pass nothing on, and would keep the format of these."""
    yield
    for name in ("gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


@pytest.mark.usefixtures("gunicorns_loggers")
@pytest.mark.parametrize("style", ["text", "json"])
def test_gunicorns_own_lines_pass_the_redactor(
    style: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.LOG_FORMAT = style
    logger = Lines(Config())
    logger.error("worker of %s failed", MAIL)
    try:
        raise ValueError(MAIL)
    except ValueError:
        logger.exception("Exception in worker process")
    said = capsys.readouterr().err
    assert "a***@example.ru" in said
    assert MAIL not in said
    if style == "json":
        first, second = map(json.loads, said.splitlines())
        assert (first["process"], first["logger"]) == ("web", "gunicorn.error")
        assert second["exception"].endswith("ValueError: a***@example.ru")


def test_beat_and_workers_print_no_banner_into_json(settings: Settings) -> None:
    assert vars(QuietBeat(app=app, quiet=False))["quiet"]
    worker = SimpleNamespace(quiet=False)
    print_no_banner(instance=worker)
    assert not worker.quiet
    settings.LOG_FORMAT = "json"
    print_no_banner(instance=worker)
    assert worker.quiet

"""What a tracker of errors gets over the wire: that something is broken and where, and nothing of anybody."""

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sentry_sdk
from celery import shared_task
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from balansity import error_tracker
from balansity.error_tracker import MOST_AN_HOUR, begin
from balansity.redaction import hide
from bridge.seldom import FewAnHour, Seldom
from bridge.trace import traced
from tests.support.far_below import far_below
from tests.support.loaded_settings import MAIL as SMTP
from tests.support.loaded_settings import load_settings

MAIL, PHONE, NAME = "anna.petrova@example.ru", "+79123456789", "Маша Петрова"
JWT, KEY = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef", "live_AbCdEf0123456789AbCdEf0123456789"
LINK, GIVEN = "a-signed-token-of-a-report", "the-secret-of-this-process"
HANGS_SECONDS = 20.0
# As their bytes could be found by whoever looks into what was sent.
HIDDEN = (
    MAIL,
    "anna.petrova",
    PHONE,
    "Маша",
    "Петрова",
    JWT,
    KEY,
    LINK,
    GIVEN,
    "hunter2",
    "body-of-a-family",
    "\\u041c",
)


def explode(request: HttpRequest, token: str) -> HttpResponse:
    body, cookie = dict(request.POST), request.COOKIES
    local = {"password": "hunter2", "child": NAME, "cookie": cookie, "body": body}
    raise ValueError(f"{MAIL} {PHONE} {JWT} {KEY} {GIVEN} password=hunter2 {NAME}\nDETAIL: body-of-a-family {local}")


urlpatterns = [path("broken/<str:token>/", explode)]


@shared_task(name="tests.explode")
def explode_in_task(child: str, key: str) -> None:
    secret = {"password": "hunter2", "child": child}
    try:
        raise KeyError(f"{child} {key}")
    except KeyError as error:
        raise RuntimeError(f"the storage refused {MAIL} and {NAME}: body-of-a-family?token={LINK}"[:60]) from error
    finally:
        secret.clear()


class Receiver:
    """Takes envelopes as a tracker does, and keeps every byte."""

    def __init__(self) -> None:
        receiver, self.seen, self.status = self, bytearray(), 200
        self.envelopes: list[list[Any]] = []
        self.answered = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
                receiver.seen += f"{self.path} {self.headers}".encode() + body
                receiver.envelopes.append([json.loads(line) for line in body.splitlines() if line])
                receiver.may_answer.wait(HANGS_SECONDS)
                receiver.answered += 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads them."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://publickey@127.0.0.1:{self.server.server_port}/7"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def events(self) -> list[Any]:
        sentry_sdk.flush(timeout=20)
        return [envelope[2] for envelope in self.envelopes]


@pytest.fixture
def receiver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    settings.SENTRY_DSN = receiver.dsn
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(error_tracker, "_errors", FewAnHour(MOST_AN_HOUR))
    monkeypatch.setattr(error_tracker, "_losses", Seldom())
    hide([GIVEN])
    begin("web")
    yield receiver
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    receiver.server.shutdown()
    receiver.server.server_close()
    hide([])


def assert_nothing_of_anybody(receiver: Receiver) -> None:
    sent = bytes(receiver.seen)
    assert sent
    assert [hidden for hidden in HIDDEN if hidden.encode() in sent or json.dumps(hidden)[1:-1].encode() in sent] == []


def test_an_error_of_a_request_is_told_without_anything_of_it(receiver: Receiver) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "hunter2"
    answer = client.post(
        f"/broken/{MAIL}/?token={LINK}&child={NAME}",
        {"child": NAME, "text": "body-of-a-family"},
        headers={"Authorization": f"Bearer {JWT}", "X-Client-Info": KEY, "User-Agent": MAIL},
    )
    assert answer.status_code == 500
    (event,) = receiver.events()
    assert_nothing_of_anybody(receiver)
    (error,) = event["exception"]["values"]
    assert error["type"] == "ValueError"
    assert error["value"].startswith("a***@example.ru +7***")
    frame = error["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["in_app"]) == ("explode", True)
    assert not {"vars", "abs_path"} & {*frame}
    assert event["request"] == {"method": "POST", "url": "/broken/a***@example.ru/"}
    assert event["environment"]
    assert event["release"]
    assert event["tags"]["process"] == "web"
    assert {*event} <= {
        *("event_id", "timestamp", "level", "platform", "logger", "release", "environment", "server_name", "sdk"),
        *("exception", "tags", "logentry", "request"),
    }


def test_an_error_of_a_task_is_told_with_its_message(receiver: Receiver) -> None:
    with traced("0123456789abcdef", queue="email_queue", msg_id=7):
        explode_in_task.apply(args=(NAME,), kwargs={"key": KEY})
    (event,) = receiver.events()
    assert_nothing_of_anybody(receiver)
    assert [error["type"] for error in event["exception"]["values"]] == ["KeyError", "RuntimeError"]
    tags = {"queue": "email_queue", "msg_id": "7", "trace_id": "0123456789abcdef"}
    assert event["tags"].items() >= tags.items()


def test_what_is_no_error_of_ours_is_not_told(receiver: Receiver) -> None:
    log = logging.getLogger("bridge.outcome")
    log.error("email_queue 7: failed for good")
    log.warning("soon", exc_info=ValueError("x"))
    logging.getLogger("django.security.DisallowedHost").error("Invalid host", exc_info=ValueError("evil"))
    Client(raise_request_exception=False).get("/nothing-there")
    assert receiver.events() == []


def test_a_flood_of_one_error_is_told_some_times(receiver: Receiver) -> None:
    for number in range(MOST_AN_HOUR + 20):
        logging.getLogger("bridge").error("again", exc_info=ValueError(str(number)))
    assert len(receiver.events()) == MOST_AN_HOUR


@pytest.mark.parametrize("way", ["away", "refuses", "hangs"])
def test_a_tracker_that_does_not_answer_costs_nothing_and_is_said_once(
    way: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    if way == "away":
        receiver.server.server_close()
    receiver.status = 403
    if way == "hangs":
        receiver.may_answer.clear()
    with far_below(5 * HANGS_SECONDS):
        for number in range(5):
            logging.getLogger("bridge").error("again", exc_info=ValueError(str(number)))
    if way == "hangs":
        assert receiver.answered == 0, "nobody waited for it"
        receiver.may_answer.set()
    sentry_sdk.flush(timeout=30)
    said = [record.getMessage() for record in caplog.records if "SENTRY_DSN" in record.getMessage()]
    assert len(said) == 1
    assert not [
        record for record in caplog.records if record.name.startswith(("urllib3", "sentry")) and record.levelno > 20
    ]


@pytest.mark.parametrize(
    ("dsn", "kept"),
    [
        ("https://0123abc@o1.ingest.sentry.io/42", True),
        ("http://key@127.0.0.1:8000/1", True),
        ("https://key@errors.example.ru/sub/path/7", True),
        ("https://errors.example.ru/7", False),
        ("https://key@errors.example.ru/", False),
        ("https://key@errors.example.ru/seven", False),
        ("ftp://key@errors.example.ru/7", False),
        ("key", False),
        ("https://key@[::1/7", False),
        ("https://key@host:port/7", False),
        ("", True),
    ],
)
def test_an_address_that_is_none_is_said_and_stops_nothing(dsn: str, kept: bool) -> None:
    loaded: Any = load_settings({**SMTP, "SENTRY_DSN": dsn})
    assert loaded["SENTRY_DSN"] == (dsn if kept else "")
    assert any("SENTRY_DSN is none" in warning for warning in loaded["START_WARNINGS"]) is not kept
    assert not any(dsn in warning for warning in loaded["START_WARNINGS"] if dsn not in ("", "key"))

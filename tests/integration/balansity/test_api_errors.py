"""One shape for every error under `/api/`, whoever made it, and nothing of our inside in it."""

import logging
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from balansity.logs import TraceFilter
from tests.support.api_views import INNER
from tests.support.supabase_tokens import access_token

pytestmark = [pytest.mark.urls("tests.support.api_views"), pytest.mark.usefixtures("broker_url")]

USER = UUID("a0000000-0000-4000-8000-000000000001")
MEMBERS = {"type", "title", "status", "detail", "error", "code", "request_id"}


@pytest.fixture
def client() -> Client:
    """One that gets the answer of a server, and not its exceptions."""
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {access_token(USER)}"})


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert int(answer.headers.get("Content-Length", len(answer.content))) == len(answer.content)
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(body) - {"errors"} == MEMBERS
    assert body["error"] == body["detail"]
    assert body["error"].isascii()
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert INNER.encode() not in answer.content
    assert b"geheim" not in answer.content
    return body


@pytest.mark.parametrize("view", ["raise", "plain"])
@pytest.mark.parametrize(
    ("kind", "status", "code", "error", "retry_after"),
    [
        ("domain", 409, "slot_taken", "The time is taken", None),
        ("provider", 502, "provider_unavailable", "The payment provider does not answer", "8"),
        ("mismatch", 400, "amount_mismatch", "amount: The price is 5000.00", None),
        ("throttled", 429, "throttled", "Request was throttled. Expected available in 12 seconds.", "12"),
        ("not-found", 404, "not_found", "Payment not found", None),
        ("http404", 404, "not_found", "Not found.", None),
        ("forbidden", 403, "permission_denied", "You do not have permission to perform this action.", None),
        (
            "database",
            503,
            "service_unavailable",
            "The service is temporarily unavailable, try again later",
            "5",
        ),
        (
            "connection",
            503,
            "service_unavailable",
            "The service is temporarily unavailable, try again later",
            "5",
        ),
        ("read-only", 503, "service_unavailable", "The service is temporarily unavailable, try again later", "5"),
        ("no-queue", 503, "service_unavailable", "The service is temporarily unavailable, try again later", "5"),
        ("bug", 500, "internal_error", "Internal server error", None),
    ],
)
def test_what_a_view_raises_becomes_a_problem(
    client: Client, view: str, kind: str, status: int, code: str, error: str, retry_after: str | None
) -> None:
    answer = client.get(f"/api/{view}/{kind}")
    assert assert_problem(answer, status, code)["error"] == error
    assert answer.headers.get("Retry-After") == retry_after


def test_a_bug_is_logged_with_its_traceback_and_the_id_that_the_caller_sees(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.addFilter(TraceFilter())
    answer = client.get("/api/raise/bug")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert INNER in caplog.text
    assert record.__dict__["trace_id"] == answer.headers["X-Request-ID"]


def test_a_fault_of_the_database_is_logged_by_its_name_alone(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/api/raise/database")
    assert "the database did not do its part (DeadlockDetected): deadlock detected" in caplog.text
    assert INNER not in caplog.text


@pytest.mark.parametrize("path", ["/api/plain/query"])
def test_a_database_that_is_away_is_no_bug(
    client: Client, path: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with django_db_blocker.unblock():
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        answer = client.get(path)
        connection.close()
    assert_problem(answer, 503, "service_unavailable")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/nothing-here", 404, "not_found"),
        ("get", "/api/", 404, "not_found"),
        ("post", "/api/guarded", 403, "permission_denied"),
        ("delete", "/api/echo", 405, "method_not_allowed"),
        ("get", "/api/plain/bug", 500, "internal_error"),
    ],
)
def test_what_django_answers_with_a_page_becomes_a_problem_too(
    client: Client, settings: Settings, debug: bool, method: str, path: str, status: int, code: str
) -> None:
    settings.DEBUG = debug
    client.handler.enforce_csrf_checks = True
    assert_problem(client.generic(method.upper(), path), status, code)


def test_a_host_that_is_not_ours_is_refused_in_the_same_shape(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["api.example.org"]
    assert_problem(client.get("/api/open", headers={"Host": "evil.example"}), 400, "bad_request")


def test_pages_for_people_stay_pages(client: Client) -> None:
    answer = client.get("/page/bug")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Cache-Control" not in answer.headers


def test_json_that_a_view_answers_with_stays_as_it_is(client: Client) -> None:
    answer = client.get("/api/plain/json")
    assert (answer.status_code, answer.json()) == (418, {"error": "as the view says"})


def test_each_invalid_member_is_named(client: Client) -> None:
    body = {"amount": "19.999", "currency": "USD", "items": [1, "x"]}
    problem = assert_problem(client.post("/api/echo", body, "application/json"), 400, "validation_error")
    assert problem["errors"] == [
        {
            "field": "amount",
            "message": "Ensure that there are no more than 2 decimal places.",
            "code": "max_decimal_places",
        },
        {"field": "currency", "message": '"USD" is not a valid choice.', "code": "invalid_choice"},
        {"field": "items.1", "message": "A valid integer is required.", "code": "invalid"},
    ]
    assert problem["error"] == "amount: Ensure that there are no more than 2 decimal places."


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"amount": 13, "currency": "RUB"}, {"field": "", "message": "That does not go together.", "code": "unlucky"}),
        (
            [1],
            {"field": "", "message": "Invalid data. Expected a dictionary, but got list.", "code": "invalid"},
        ),
    ],
)
def test_a_problem_with_the_request_as_a_whole_names_no_member(client: Client, body: Any, error: Any) -> None:
    problem = assert_problem(client.post("/api/echo", body, "application/json"), 400, "validation_error")
    assert (problem["errors"], problem["error"]) == ([error], error["message"])


def test_a_decimal_of_the_body_stays_one(client: Client) -> None:
    answer = client.post("/api/echo", b'{"amount": 4.35, "currency": "RUB"}', "application/json")
    assert answer.json() == {"amount": "4.35"}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "parse_error"),
        (b"amount=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"<a/>", "text/xml", 415, "unsupported_media_type"),
        (b'"' + b"a" * 1024 * 1024 + b'"', "application/json", 413, "payload_too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    client: Client, body: bytes, content_type: str, status: int, code: str
) -> None:
    assert_problem(client.post("/api/echo", body, content_type), status, code)


def test_a_plain_view_has_the_same_limit(client: Client) -> None:
    answer = client.post("/api/plain/body", b"a" * (1024 * 1024 + 1), "application/json")
    assert_problem(answer, 413, "payload_too_large")


def test_an_outage_is_told_once_and_not_again_by_django(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.get("/api/raise/database").status_code == 503
    assert {(line.name, line.levelname) for line in caplog.records if "503" in line.getMessage()} == {
        ("balansity.api.boundary", "WARNING")
    }
    assert not [line for line in caplog.records if line.name == "django.request"]


def test_an_answer_that_nobody_can_read_is_refused_in_the_usual_shape(client: Client) -> None:
    answer = client.get("/api/echo", headers={"Accept": "application/xml"})
    assert_problem(answer, 406, "not_acceptable")


def test_a_method_that_is_not_allowed_names_those_that_are(client: Client) -> None:
    assert client.delete("/api/echo").headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_errors_are_english_whatever_the_browser_speaks(client: Client) -> None:
    answer = client.post("/api/echo", {}, "application/json", headers={"Accept-Language": "ru"})
    assert assert_problem(answer, 400, "validation_error")["error"] == "amount: This field is required."

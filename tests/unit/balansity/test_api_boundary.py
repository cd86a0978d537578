"""What the middlewares of the API make of an answer, whoever gave it, and of what a view let through."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from psycopg2.errors import InsufficientPrivilege
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError

from balansity.api.boundary import ApiBoundaryMiddleware, _caller
from balansity.api.exception_handler import problem_for
from balansity.api.request_id import RequestIdMiddleware
from balansity.api.throttles import _note_used_up

PAGE = b"<h1>A page</h1>"


def asked(path: str = "/api/x") -> HttpRequest:
    return RequestFactory().get(path)


def answered(middleware: Callable[..., Any], response: HttpResponseBase, *, used_up: float | None = None) -> Any:
    def view(request: HttpRequest) -> HttpResponseBase:
        if used_up is not None:
            _note_used_up("default", used_up)
        return response

    return middleware(view)(asked())


@pytest.mark.parametrize(("status", "is_page"), [(200, True), (399, True), (400, False), (404, False), (500, False)])
def test_a_page_becomes_a_problem_when_it_is_an_error(status: int, is_page: bool) -> None:
    answer = answered(ApiBoundaryMiddleware, HttpResponse(PAGE, status=status))
    assert (answer.content == PAGE) is is_page


def test_what_is_streamed_stays_as_it_is() -> None:
    answer = answered(ApiBoundaryMiddleware, StreamingHttpResponse([PAGE], status=404))
    assert b"".join(answer) == PAGE


@pytest.mark.parametrize(("status", "is_logged"), [(200, False), (400, True), (451, True), (500, False)])
def test_what_callers_do_wrong_is_not_logged_by_django_as_well(status: int, is_logged: bool) -> None:
    answer = answered(ApiBoundaryMiddleware, HttpResponse(PAGE, status=status))
    assert getattr(answer, "_has_been_logged", False) is is_logged


@pytest.mark.parametrize(
    ("advice", "used_up", "expected"), [("5", 9.2, "10"), ("50", 9.2, "50"), ("5", None, "5"), (None, 9.2, None)]
)
def test_nobody_is_told_to_come_again_before_a_limit_lets_them(
    advice: str | None, used_up: float | None, expected: str | None
) -> None:
    headers = {} if advice is None else {"Retry-After": advice}
    answer = answered(ApiBoundaryMiddleware, HttpResponse(status=503, headers=headers), used_up=used_up)
    assert answer.headers.get("Retry-After") == expected


@pytest.mark.parametrize(
    ("path", "error", "status"),
    [
        ("/api/x", OperationalError("the connection is gone"), 503),
        ("/api/x", ValueError("a bug"), None),
        ("/admin/", OperationalError("the connection is gone"), None),
    ],
)
def test_only_what_a_call_meets_is_answered_with_a_problem(path: str, error: Exception, status: int | None) -> None:
    middleware = ApiBoundaryMiddleware(lambda request: HttpResponse())
    answer = middleware.process_exception(asked(path), error)
    assert (answer and answer.status_code) == status


def ask_nobody() -> object:
    raise AssertionError("the session was read")


@pytest.mark.parametrize(
    ("user", "caller"),
    [
        (None, "anonymous"),
        (SimpleNamespace(pk=None), "anonymous"),
        (SimpleLazyObject(ask_nobody), "anonymous"),
        (SimpleNamespace(pk=7), "user 7"),
    ],
    ids=["none", "nobody", "not asked for", "a user"],
)
def test_the_log_names_who_called_without_asking_for_it(user: object, caller: str) -> None:
    request = asked()
    request.user = user  # type: ignore[assignment]
    assert _caller(request) == caller


@pytest.mark.parametrize(
    ("response", "lines"),
    [
        (HttpResponse(status=200), 0),
        (HttpResponse(status=399), 0),
        (HttpResponse(status=400), 1),
        (HttpResponse(status=500), 1),
        (StreamingHttpResponse([PAGE], status=404), 0),
    ],
    ids=["200", "399", "400", "500", "streamed"],
)
def test_an_error_is_logged_with_the_id_of_its_request(
    caplog: pytest.LogCaptureFixture, response: HttpResponseBase, lines: int
) -> None:
    with caplog.at_level(logging.INFO, logger="django.request"):
        answered(RequestIdMiddleware, response)
    assert len([record for record in caplog.records if record.name == "django.request"]) == lines


def test_a_right_that_we_lack_is_no_bug() -> None:
    error = ValueError("x")
    assert problem_for(error) is None
    error.__cause__ = InsufficientPrivilege("permission denied")
    problem = problem_for(error)
    assert problem is not None
    assert problem.status == 503


def test_an_error_without_a_code_is_an_error() -> None:
    error = APIException()
    error.detail = ErrorDetail("Something")
    problem = problem_for(error)
    assert problem is not None
    assert (problem.code, problem.error) == ("error", "Something")


@pytest.mark.parametrize(
    ("errors", "fields"),
    [
        ({"items": [{}, {"amount": ["Too much"]}]}, ["items.1.amount"]),
        ({"rows": [["Too long"], ["Too short"]]}, ["rows.0", "rows.1"]),
        ({"amount": ["Too much", "No number"]}, ["amount", "amount"]),
    ],
)
def test_what_is_wrong_within_lists_is_named_by_its_place(errors: dict[str, Any], fields: list[str]) -> None:
    problem = problem_for(ValidationError(errors))
    assert problem is not None
    assert [each.field for each in problem.errors] == fields

"""Which problem an exception is. DRF's views ask here, and the boundary for everything that is none of them."""

import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpResponse
from django.utils.module_loading import import_string
from rest_framework import exceptions

from balansity.api.exceptions import PayloadTooLarge, ServiceUnavailable
from balansity.api.problems import FieldProblem, Problem, retry_after
from balansity.api.throttles import caller_of, count_request, scope_of, take_back_request
from bridge.errors import is_closed
from bridge.pgmq import POSTGRES_AWAY, QueueMissing
from bridge.rights import RowsHidden

logger = logging.getLogger(__name__)

NOT_AUTHENTICATED = "Authentication required: send a valid access token"


def answer_exception(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Return the answer for an exception of a DRF view; `None` makes it a logged 500 without any inner message.

    A subclass of `APIException` is told with its own `status_code`, code and detail; `retry_after`, in seconds, is
    honoured when it has one. With a `counted_as` the request is counted under that scope instead of the view's.
    An error of a package is told as that package says: its `AppConfig` names the function as `api_exception`.
    """
    problem = problem_for(_recounted(_worded(exc), context))
    return problem.response() if problem else None


def _worded(exc: Exception) -> Exception:
    """What the package that raised it tells callers about an error of its own, or the error as it is."""
    return next(filter(None, (word(exc) for word in _wordings())), exc)


@cache
def _wordings() -> list[Callable[[Exception], exceptions.APIException | None]]:
    # By path: the processes that serve no HTTP load the apps as well.
    return [import_string(path) for app in apps.get_app_configs() if (path := getattr(app, "api_exception", None))]


def _recounted(exc: Exception, context: dict[str, Any]) -> Exception:
    """Count a request anew that was only told to come again, so that coming again is not what gets it refused."""
    scope = getattr(exc, "counted_as", None)
    if scope is None:
        return exc
    caller = caller_of(context["request"])
    take_back_request(scope_of(context["view"]), caller)
    wait = count_request(scope, caller)
    return exc if wait is None else exceptions.Throttled(wait=wait)


def problem_for(exc: Exception) -> Problem | None:
    """Return what to tell the caller, or `None` for an error that nobody foresaw."""
    exc = _worded(exc)
    match exc:
        case exceptions.APIException():
            return _api_problem(exc)
        case Http404():
            return _api_problem(exceptions.NotFound())
        case DjangoPermissionDenied():
            return _api_problem(exceptions.PermissionDenied())
        case RequestDataTooBig():
            return _api_problem(PayloadTooLarge())
        # The connection was lost or refused, or the statement was: a deadlock, a timeout, no slot left, nothing but
        # reads allowed; or the queue is missing that a message was meant for; or our role must not see all of a table.
        case _ if isinstance(exc, (*POSTGRES_AWAY, QueueMissing, RowsHidden)) or is_closed(exc):
            cause = type(exc.__cause__ or exc).__name__
            logger.error("the database did not do its part (%s): %s", cause, str(exc).partition("\n")[0])
            return _api_problem(ServiceUnavailable())
        case _:
            return None


def _api_problem(exc: exceptions.APIException) -> Problem:
    match exc:
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return _unauthenticated(exc)
        case exceptions.ValidationError():
            return _invalid(exc)
        case exceptions.Throttled():
            headers = retry_after(getattr(exc, "wait", None))
        case _:
            headers = retry_after(getattr(exc, "retry_after", None))
    detail = exc.detail
    if isinstance(detail, exceptions.ErrorDetail):
        return Problem(exc.status_code, detail.code or "error", str(detail), headers=headers)
    return Problem(exc.status_code, str(exc.default_code), str(exc.default_detail), headers=headers)


def _unauthenticated(exc: exceptions.APIException) -> Problem:
    # DRF sets the header when the view authenticates by token, and answers 403 when there is nothing to ask for. A
    # caller learns nothing about why a token was refused.
    challenge = getattr(exc, "auth_header", None)
    headers = {"WWW-Authenticate": str(challenge)} if challenge else {}
    return Problem(exc.status_code, "not_authenticated", NOT_AUTHENTICATED, headers=headers)


def _invalid(exc: exceptions.ValidationError) -> Problem:
    errors = tuple(_field_problems(exc.get_full_details(), ""))
    first = errors[0] if errors else FieldProblem("", str(exc.default_detail), "invalid")
    error = f"{first.field}: {first.message}" if first.field else first.message
    code = "validation_error" if exc.default_code in {None, "invalid"} else str(exc.default_code)
    return Problem(exc.status_code, code, error, errors)


def _field_problems(details: Any, path: str) -> Iterator[FieldProblem]:
    """Flatten what serializers nest: members by name, list items by number, leaves `{"message", "code"}`."""
    if isinstance(details, list):
        for index, item in enumerate(details):
            # The messages about one member are a list too; only containers in a list are items with a number.
            leaf = isinstance(item, dict) and set(item) == {"message", "code"}
            yield from _field_problems(item, path if leaf else _join(path, str(index)))
    elif set(details) == {"message", "code"}:
        yield FieldProblem(path, str(details["message"]), str(details["code"]))
    else:
        for name, item in details.items():
            yield from _field_problems(item, path if name == "non_field_errors" else _join(path, str(name)))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

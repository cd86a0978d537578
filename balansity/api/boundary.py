"""What sets `/api/` apart from the pages that people read: English, errors as JSON, one log line a request.

Who followed a link there reads a page all the same.
"""

import logging
import time
from collections.abc import Callable
from math import ceil

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.encoding import escape_uri_path
from django.utils.functional import SimpleLazyObject

from balansity.api.exception_handler import problem_for
from balansity.api.people import speak_to_people
from balansity.api.problems import Problem
from balansity.api.throttles import watched_budgets
from bridge.seldom import FewAnHour

logger = logging.getLogger(__name__)

PREFIX = "/api/"
NOBODY = "anonymous"
# Of each status in a process.
_refusals = FewAnHour(50)

_ERRORS = {
    400: ("bad_request", "The request cannot be understood"),
    403: ("permission_denied", "You do not have permission to perform this action"),
    404: ("not_found", "There is nothing at this address"),
    405: ("method_not_allowed", "This address does not answer to this method"),
    413: ("payload_too_large", "The request body is too large"),
}


class ApiBoundaryMiddleware:
    """Makes a problem of each error under `/api/` that Django answered with a page: an unknown address, a bad host,
    a missing CSRF token, an exception that nobody caught. Django has logged the last with its traceback by then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        started = time.perf_counter()
        # The admin is Russian by LANGUAGE_CODE; messages of serializers are translated where they are raised.
        with translation.override("en"), watched_budgets() as used_up:
            response = self._get_response(request)
        if response.status_code >= 400 and isinstance(response, HttpResponse):
            _make_problem(response)
            speak_to_people(request, response)
        _keep_advice_true(response, used_up)
        if 400 <= response.status_code < 500 or response.status_code == 503:
            # The line below says it. Django's own would be a second one: a warning about whatever anybody sends, an
            # error about an outage, which passes and asks nobody to act.
            response._has_been_logged = True  # type: ignore[attr-defined]
        response.headers.setdefault("Cache-Control", "no-store")
        _log(request, response.status_code, (time.perf_counter() - started) * 1000)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a view let through, so that plain views tell of a lost database as DRF's do."""
        if not request.path_info.startswith(PREFIX):
            return None
        problem = problem_for(exception)
        return problem.response() if problem else None


def _log(request: HttpRequest, status: int, milliseconds: float) -> None:
    """Write the line of the request. Nobody fills a disk with calls that are refused."""
    caller, number = _caller(request), ""
    if (caller == NOBODY and (status >= 400 or request.method == "OPTIONS")) or status == 429:
        said = _refusals.tell(str(status))
        if said is None:
            return
        number = said
    path = escape_uri_path(request.path)[:200]
    level = logging.INFO if status < 500 else logging.WARNING
    logger.log(level, "%s %s %d %.0f ms %s%s", request.method, path, status, milliseconds, caller, number)


def _make_problem(response: HttpResponse) -> None:
    """Replace a page in its place, and not the response: what CORS and others put on it stays."""
    if "json" in response.headers.get("Content-Type", ""):
        return
    unknown = ("internal_error", "Internal server error") if response.status_code >= 500 else _ERRORS[400]
    code, error = _ERRORS.get(response.status_code, unknown)
    problem = Problem(response.status_code, code, error).response()
    response.content = problem.content
    response.headers["Content-Type"] = problem.headers["Content-Type"]
    response.headers["Content-Length"] = str(len(problem.content))


def _keep_advice_true(response: HttpResponseBase, used_up: dict[str, float]) -> None:
    """Let nobody be told to come again at a time at which a limit would refuse them."""
    advice = response.headers.get("Retry-After")
    if advice is not None and used_up:
        response.headers["Retry-After"] = str(max(int(advice), *(ceil(left) for left in used_up.values())))


def _caller(request: HttpRequest) -> str:
    user = getattr(request, "user", None)
    # One that is still lazy was asked for by nobody, and looking at it would read the session from the database.
    if user is None or isinstance(user, SimpleLazyObject) or user.pk is None:
        return NOBODY
    return f"user {user.pk}"

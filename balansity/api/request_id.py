"""The id of a request: the caller's own or a new one. It is the trace id of log lines, and stands in the answer."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.log import log_response

from bridge.bulkhead import nobodys_request
from bridge.trace import traced

HEADER = "X-Request-ID"

# Nothing that could break a log line or a header, and what fits into the columns for trace ids.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Comes first. Inside it `bridge.trace.current_trace_id()` is the id of the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        # For the page that says that something broke: people can name it to the developers.
        request.META["REQUEST_ID"] = request_id
        with traced(request_id), nobodys_request():
            response = self._get_response(request)
            if response.status_code >= 400 and isinstance(response, HttpResponse):
                # Django writes this line when every middleware is done, and then it would carry no id. It writes none
                # for a response that has one, so an exception that was logged is not logged again.
                log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        response.headers[HEADER] = request_id
        return response

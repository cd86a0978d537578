"""The one shape of an error, of the API as of the doors beside it: RFC 9457, and what front end and support read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

from bridge.trace import current_trace_id

CONTENT_TYPE = "application/problem+json"


def problem(status: int, code: str, error: str, headers: Mapping[str, str] | None = None, **more: Any) -> JsonResponse:
    """`code` is for programs, `error` for people; the trace id finds the call in the log."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error,
        "error": error,
        "code": code,
        "request_id": current_trace_id(),
        **more,
    }
    return JsonResponse(
        body,
        status=status,
        content_type=CONTENT_TYPE,
        headers=headers,
        json_dumps_params={"ensure_ascii": False},
    )

"""What a door that is no part of the API answers when it takes nothing: RFC 9457, as the API does."""

from http import HTTPStatus

from django.http import JsonResponse

from bridge.trace import current_trace_id


def problem(status: int, code: str, error: str, headers: dict[str, str] | None = None) -> JsonResponse:
    """`code` is for programs, `error` for people; the trace id finds the call in the log."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error,
        "error": error,
        "code": code,
        "request_id": current_trace_id(),
    }
    return JsonResponse(body, status=status, content_type="application/problem+json", headers=headers)

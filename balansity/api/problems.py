"""The one shape of an error: the members of RFC 9457, and those that the front end and support read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from math import ceil

from django.http import HttpResponse

from bridge.trace import current_trace_id

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one member of a request: `field` is its dotted path, empty for the request as a whole."""

    field: str
    message: str
    code: str


@dataclass(frozen=True)
class Problem:
    """An error to answer with. `code` is stable snake_case, `error` an English sentence that anybody may read."""

    status: int
    code: str
    error: str
    errors: tuple[FieldProblem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> HttpResponse:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.error,
            "error": self.error,
            "code": self.code,
            "request_id": current_trace_id(),
        }
        if self.errors:
            body["errors"] = [asdict(each) for each in self.errors]
        content = json.dumps(body, ensure_ascii=False)
        return HttpResponse(content, status=self.status, content_type=CONTENT_TYPE, headers=dict(self.headers))


def retry_after(seconds: float | None) -> dict[str, str]:
    """Return the header that asks for that pause, or none."""
    return {} if seconds is None else {"Retry-After": str(max(1, ceil(seconds)))}

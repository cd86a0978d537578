"""An error of the API, and what is wrong with which member of a request."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

from django.http import HttpResponse

from bridge.problem import problem


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
        more: dict[str, Any] = {"errors": [asdict(each) for each in self.errors]} if self.errors else {}
        return problem(self.status, self.code, self.error, self.headers, **more)


def retry_after(seconds: float | None) -> dict[str, str]:
    """Return the header that asks for that pause, or none."""
    return {} if seconds is None else {"Retry-After": str(max(1, ceil(seconds)))}

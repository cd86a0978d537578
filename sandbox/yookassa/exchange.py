"""One HTTP request and its reply, apart from sockets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is without the query; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]

    def json(self) -> Any:
        """Raises `ValueError`. An empty body is an empty object."""
        return json.loads(self.content) if self.content else {}

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.content.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    status: HTTPStatus
    content: bytes
    kind: str
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(body: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Reply:
    content = json.dumps(body, ensure_ascii=False).encode()
    return Reply(status, content, "application/json; charset=utf-8", headers or {})


def redirect(location: str) -> Reply:
    """To be fetched with GET."""
    return Reply(HTTPStatus.SEE_OTHER, b"", "text/plain", {"Location": location})

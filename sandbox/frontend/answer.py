"""Our API as a browser meets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import requests

TIMEOUT = (5, 20)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty where the answer was no JSON object."""

    status: int
    body: dict[str, Any]

    @property
    def payment_id(self) -> str:
        return str(self.body.get("payment_id", ""))

    @property
    def error(self) -> str:
        return str(self.body.get("error", ""))

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


class Api(Protocol):
    """Whatever brings a request to our API: a socket, or a test's client."""

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer: ...


class HttpApi:
    """The API at an address."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        # A connection for each call: two clicks at once are two calls at once.
        return read(requests.post(f"{self._base_url}{path}", json=body, headers=dict(headers), timeout=TIMEOUT))


def read(answer: requests.Response) -> Answer:
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = {}
    return Answer(answer.status_code, body if isinstance(body, dict) else {})

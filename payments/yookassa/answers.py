"""One HTTP answer → the JSON in it, or the error that it means. https://yookassa.ru/developers/using-api/response-handling"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

from payments.yookassa.errors import Rejected, Trouble, Unavailable

# The SDK's pause when YooKassa is still busy with a request and names no time of its own.
_PROCESSING_SECONDS = 1.8
_LONGEST_PAUSE = 3600.0
_LONGEST_NUMBER = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read to its end. Header names are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def read_answer(answer: Answer, *, changes: bool) -> dict[str, Any]:
    """Return the JSON object of a 200. `changes`: the request asks for an effect. Raises `Unavailable`, `Rejected`."""
    body = _json_object(answer.content)
    if answer.status == HTTPStatus.OK:
        if body is None:
            raise Unavailable("200 without a JSON object", changes, trouble=Trouble.SERVER_ERROR)
        return body
    if answer.status == HTTPStatus.ACCEPTED:
        raise Unavailable("202, still being processed", changes, _announced_pause(body))
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        # Counted before it is looked at.
        raise Unavailable("429 too many requests", False, _retry_after(answer), trouble=Trouble.TOO_MANY)
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        _reject(answer, body, changes=changes)
    raise Unavailable(str(answer.status), changes, _retry_after(answer), trouble=Trouble.SERVER_ERROR)


def _reject(answer: Answer, body: dict[str, Any] | None, *, changes: bool) -> NoReturn:
    code = _text(body, "code")
    if not code:
        # A proxy's or firewall's page: its 404 must not be taken for "there is no such payment".
        words = f"{answer.status} in somebody else's words"
        raise Unavailable(words, changes, _retry_after(answer), trouble=Trouble.SERVER_ERROR)
    raise Rejected(answer.status, code, _text(body, "parameter"), _text(body, "description"))


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content, parse_constant=_refuse_constant, parse_int=_whole)
    except (ValueError, RecursionError):
        # Not JSON, not UTF-8, or nested until Python gives up.
        return None
    return found if isinstance(found, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    # Python's own addition to JSON: NaN and the infinities.
    raise ValueError(name)


def _whole(digits: str) -> int | str:
    # Python refuses to read such a number, and the whole answer with it.
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


def _text(body: dict[str, Any] | None, name: str) -> str:
    value = (body or {}).get(name)
    return value if isinstance(value, str) else ""


def _announced_pause(body: dict[str, Any] | None) -> float:
    milliseconds = (body or {}).get("retry_after")
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return _PROCESSING_SECONDS
    return _within_reason(min(milliseconds, _LONGEST_PAUSE * 1000) / 1000)


def _retry_after(answer: Answer) -> float | None:
    """Read the header `Retry-After`: seconds or a date."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return _within_reason(float(value))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _within_reason((moment - datetime.now(UTC)).total_seconds())


def _within_reason(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_PAUSE)

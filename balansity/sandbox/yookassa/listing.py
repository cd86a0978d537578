"""Lists: conditions, order, pages. https://yookassa.ru/developers/using-api/lists"""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from balansity.sandbox.yookassa.errors import invalid

_DEFAULT_LIMIT, _MOST = 10, 100
_STATUSES = ("pending", "waiting_for_capture", "succeeded", "canceled")
_COMPARISONS: dict[str, Callable[[datetime, datetime], bool]] = {
    "created_at.gte": operator.ge,
    "created_at.gt": operator.gt,
    "created_at.lte": operator.le,
    "created_at.lt": operator.lt,
}


def list_objects(objects: Sequence[dict[str, Any]], query: Mapping[str, str], *, own: Sequence[str]) -> dict[str, Any]:
    """Return a page of `objects` (given oldest first), newest first. `own` are the members to compare with as a whole.

    The cursor is the id of the first object of the next page. Raises `ApiError`.
    """
    for name in query:
        if name not in (*own, *_COMPARISONS, "limit", "cursor"):
            raise invalid(name, "unknown parameter")
    if query.get("status", _STATUSES[0]) not in _STATUSES:
        raise invalid("status", f"one of {', '.join(_STATUSES)}")
    limit, bounds = _limit(query), _bounds(query)
    found = [
        one
        for one in reversed(objects)
        if all(one[name] == query[name] for name in own if name in query)
        and all(compare(datetime.fromisoformat(one["created_at"]), bound) for compare, bound in bounds)
    ]
    start = 0
    if cursor := query.get("cursor"):
        ids = [one["id"] for one in found]
        if cursor not in ids:
            raise invalid("cursor", "unknown cursor")
        start = ids.index(cursor)
    following = found[start + limit : start + limit + 1]
    page: dict[str, Any] = {"type": "list", "items": found[start : start + limit]}
    return page | ({"next_cursor": following[0]["id"]} if following else {})


def _limit(query: Mapping[str, str]) -> int:
    raw = query.get("limit", str(_DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 3 and 1 <= int(raw) <= _MOST):
        raise invalid("limit", f"must be 1 to {_MOST}")
    return int(raw)


def _bounds(query: Mapping[str, str]) -> list[tuple[Callable[[datetime, datetime], bool], datetime]]:
    bounds = []
    for name, compare in _COMPARISONS.items():
        if name in query:
            try:
                bound = datetime.fromisoformat(query[name])
            except ValueError:
                raise invalid(name, "must be a time in ISO 8601") from None
            if bound.tzinfo is None:
                raise invalid(name, "needs a time zone")
            bounds.append((compare, bound))
    return bounds

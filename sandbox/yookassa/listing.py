"""Lists: conditions, order, pages. https://yookassa.ru/developers/using-api/lists"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.yookassa.errors import invalid
from sandbox.yookassa.methods import LISTED

_DEFAULT_LIMIT, _MOST = 10, 100
_COMPARISONS: dict[str, Callable[[datetime, datetime], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conditions:
    """By what a kind of objects may be chosen: `equal` names the query's parameters and what they look at."""

    equal: Mapping[str, Callable[[Json], Any]]
    allowed: Mapping[str, frozenset[str]]
    times: Sequence[str]


PAYMENTS = Conditions(
    equal={
        "status": lambda one: one["status"],
        "payment_method": lambda one: one.get("payment_method", {}).get("type"),
    },
    allowed={
        "status": frozenset(("pending", "waiting_for_capture", "succeeded", "canceled")),
        "payment_method": LISTED,
    },
    times=("created_at", "captured_at"),
)
REFUNDS = Conditions(
    equal={"status": lambda one: one["status"], "payment_id": lambda one: one["payment_id"]},
    allowed={"status": frozenset(("pending", "succeeded", "canceled"))},
    times=("created_at",),
)


def list_objects(objects: Sequence[Json], query: Mapping[str, str], conditions: Conditions) -> Json:
    """Return a page of `objects` (given oldest first), newest first.

    The cursor is the id of the first object of the next page. Raises `ApiError`.
    """
    bounds = {f"{time}.{name}": (time, compare) for time in conditions.times for name, compare in _COMPARISONS.items()}
    for name in query:
        if name not in (*conditions.equal, *bounds, "limit", "cursor"):
            raise invalid(name, "unknown parameter")
    for name, allowed in conditions.allowed.items():
        if name in query and query[name] not in allowed:
            raise invalid(name, f"one of {', '.join(sorted(allowed))}")
    limit = _limit(query)
    wanted = [(*bounds[name], _time(name, value)) for name, value in query.items() if name in bounds]
    found = [
        one
        for one in reversed(objects)
        if all(look(one) == query[name] for name, look in conditions.equal.items() if name in query)
        and all(time in one and compare(datetime.fromisoformat(one[time]), bound) for time, compare, bound in wanted)
    ]
    start = 0
    if cursor := query.get("cursor"):
        ids = [one["id"] for one in found]
        if cursor not in ids:
            raise invalid("cursor", "unknown cursor")
        start = ids.index(cursor)
    following = found[start + limit : start + limit + 1]
    page: Json = {"type": "list", "items": found[start : start + limit]}
    return page | ({"next_cursor": following[0]["id"]} if following else {})


def _limit(query: Mapping[str, str]) -> int:
    raw = query.get("limit", str(_DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 3 and 1 <= int(raw) <= _MOST):
        raise invalid("limit", f"must be 1 to {_MOST}")
    return int(raw)


def _time(name: str, value: str) -> datetime:
    try:
        bound = datetime.fromisoformat(value)
    except ValueError:
        raise invalid(name, "must be a time in ISO 8601") from None
    if bound.tzinfo is None:
        raise invalid(name, "needs a time zone")
    return bound

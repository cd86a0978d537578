"""What a page of a queue is asked to show, as its address says it: what makes no sense is left out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.http import QueryDict
from django.utils import timezone

from bridge.admin.states import OUTCOMES
from bridge.message import MessageState, Reason
from bridge.sql.browsing import Place
from wording.typed import read_whole

MOST_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Asked:
    """`place` is where the page begins; `hours` stands for a `since` that moves with the clock."""

    tab: str
    outcome: str | None = None
    reason: str | None = None
    error_type: str | None = None
    pattern: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    hours: int | None = None
    trace_id: str | None = None
    place: Place | None = None

    @classmethod
    def of(cls, query: QueryDict, tabs: Collection[str]) -> Self:
        tab, outcome, reason = query.get("tab", ""), query.get("outcome", ""), query.get("reason", "")
        hours = read_whole(query.get("hours", ""))
        return cls(
            tab=tab if tab in tabs else MessageState.READY.value,
            outcome=outcome if outcome in OUTCOMES else None,
            reason=reason if reason in set(Reason) else None,
            error_type=_text(query.get("error_type")),
            # An empty one is that of errors without a text.
            pattern=_text(query.get("pattern")) or "" if "pattern" in query else None,
            since=read_moment(query.get("since", "")),
            until=read_moment(query.get("until", "")),
            hours=hours if hours and hours <= 24 * 365 else None,
            trace_id=_text(query.get("trace_id")),
            place=_place(query.get("after", "")),
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the tab was asked for."""
        return any(value is not None for name, value in self._filters().items() if name != "tab")

    def as_query(self, *, place: Place | None = None, **changed: Any) -> dict[str, Any]:
        """What the address of the same says, with some of it changed; with `place` it is the page that begins there."""
        query = {name: value for name, value in {**self._filters(), **changed}.items() if value is not None}
        for name in ("since", "until"):
            if isinstance(query.get(name), datetime):
                query[name] = typed_moment(query[name])
        if place is not None:
            query["after"] = f"{place[0].isoformat()}_{place[1]}"
        return query

    @property
    def since_typed(self) -> str:
        return typed_moment(self.since)

    @property
    def until_typed(self) -> str:
        return typed_moment(self.until)

    def _filters(self) -> dict[str, Any]:
        names = ("tab", "outcome", "reason", "error_type", "pattern", "since", "until", "hours", "trace_id")
        return {name: getattr(self, name) for name in names}


def read_moment(text: str) -> datetime | None:
    """A time as the field of a browser gives it, which is Moscow's, or with its zone; `None` for all else."""
    try:
        found = datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo is not None else timezone.make_aware(found)
        # A year that neither Postgres nor a change of the zone can hold.
        return aware if 1970 <= aware.year <= 2200 else None
    except (ValueError, OverflowError):
        return None


def typed_moment(time: datetime | None) -> str:
    """The time as the field of a browser takes it; seconds as far as there are any."""
    return "" if time is None else timezone.localtime(time).replace(tzinfo=None).isoformat(timespec="auto")


def _place(text: str) -> Place | None:
    time, _mark, number = text.rpartition("_")
    moment, msg_id = read_moment(time.replace(" ", "+")), read_whole(number)
    return None if moment is None or msg_id is None else (moment, msg_id)


def _text(value: str | None) -> str | None:
    """A text without spaces around it; `None` for an empty one."""
    return (value or "").strip()[:MOST_CHARACTERS] or None

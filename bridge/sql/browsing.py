"""What staff look at: pages of a queue and of its archive, and one message, whatever it is and whoever sent it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.message import MessageState
from bridge.sql.querying import Querying, as_history

# How many rows a page looks through for those that match. What lies further is for the next page, which may be empty.
DEPTH = 5000
# How far what is ready, and the archive, are counted.
MOST = 10_000
# How much of each body comes with a list: what it is about stands in it.
CHARACTERS = 2000
MOST_ID = 2**63 - 1

# Where a page begins: the time, and the id, of the last one of the page before.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A message. `at`: when it is due, or was archived. `history`: what may be believed of ours.

    `text` is the beginning of its body; `None` where that is too large to be read.
    """

    msg_id: int
    at: datetime
    read_ct: int
    enqueued_at: datetime
    history: dict[str, Any]
    text: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is where the following page begins, `None` at the end; `looked` counts what was looked through."""

    rows: list[Row]
    next: Place | None
    looked: int


@dataclass(frozen=True, slots=True)
class Whole:
    """One message. `state` is `None` for an archived one; `kept`: its work is done, its outcome waits to be written.

    `octets` is what its body takes as it is stored.
    """

    row: Row
    state: MessageState | None
    octets: int
    kept: bool


@dataclass(frozen=True, slots=True)
class TabCounts:
    """`ready` and `archived` are counted no further than `MOST` and one more, the others among `DEPTH` and one more."""

    ready: int
    retrying: int
    running: int
    in_line: int
    delayed: int
    archived: int

    @property
    def hidden(self) -> int:
        """What is counted together, and was counted to its end unless it is more than `DEPTH`."""
        return self.retrying + self.running + self.in_line + self.delayed


class Browsing(Querying):
    """Reads alone, and of a large table no more than a page needs."""

    def tab_counts(self) -> TabCounts:
        return TabCounts(*self._all("tab_counts", most=MOST, depth=DEPTH)[0])

    def in_state(
        self,
        state: MessageState,
        *,
        limit: int,
        after: Place | None = None,
        trace_id: str | None = None,
    ) -> Page:
        """Messages of the queue in this state, those that are due first, after the place `after`."""
        depth = limit + 1 if state == MessageState.READY and trace_id is None else DEPTH
        vt, msg_id = after or (None, None)
        asked = {"state": state.value, "after_vt": vt, "after": msg_id, "trace_id": trace_id, "characters": CHARACTERS}
        return _page(self._all("in_state", **asked, limit=limit + 1, depth=depth), limit, depth)

    def archived_page(
        self,
        *,
        limit: int,
        before: Place | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        trace_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Page:
        """Archived messages, the newest first, after the place `before`. `outcome` may be `other`."""
        depth = limit + 1 if (outcome, reason, trace_id) == (None, None, None) else DEPTH
        asked = {"outcome": outcome, "reason": reason, "trace_id": trace_id, "since": since, "until": until}
        before_at, msg_id = before or (None, None)
        place = {"before_at": before_at, "before": msg_id, "timed": since is not None or until is not None}
        place["characters"] = CHARACTERS
        return _page(self._all("archived_page", **asked, **place, limit=limit + 1, depth=depth), limit, depth)

    def find(self, msg_id: int, *, characters: int) -> Whole | None:
        """The message, in the queue or in the archive, with so much of its body; `None` where it is in neither."""
        if not 0 <= msg_id <= MOST_ID:
            return None
        # First the queue: a message leaves it for the archive, and never comes back under its number.
        for query in ("queued_message", "archived_message"):
            for found in self._all(query, msg_id=msg_id, characters=characters):
                number, at, read_ct, enqueued_at, state, history, octets, text, kept = found
                row = Row(number, at, read_ct, enqueued_at, as_history(history), text)
                return Whole(row, MessageState(state) if state else None, octets, kept)
        return None

    def about(self, key: str, value: str, *, since: datetime, limit: int = 10) -> list[int]:
        """Ids of the newest messages whose body has this text under this key, as far as they are found at once."""
        values = {"key": key, "value": value, "since": since, "limit": limit, "depth": DEPTH // 2}
        return [msg_id for (msg_id,) in self._all("messages_about", **values)]

    def queued_with(
        self, path: Sequence[str], *, values: Iterable[str] = (), words: Iterable[str] = (), limit: int = 10
    ) -> list[int]:
        """Ids of the newest messages in the queue whose body has one of the values there, or a text with all words."""
        asked = {"values": [one.lower() for one in values], "words": [one.lower() for one in words]}
        found = self._all("queued_with", path=list(path), **asked, limit=limit, depth=MOST)
        return [msg_id for (msg_id,) in found]


def _page(found: Sequence[tuple[Any, ...]], limit: int, depth: int) -> Page:
    """The rows that were found, and where the next page begins: one more than `limit` was asked for."""
    rows = [
        Row(msg_id, at, read_ct, enqueued_at, as_history(history), text)
        for msg_id, at, read_ct, enqueued_at, history, text, *_looked in found
        if msg_id is not None
    ]
    looked, last_at, last_id = found[0][6:]
    if len(rows) > limit:
        return Page(rows[:limit], (rows[limit - 1].at, rows[limit - 1].msg_id), looked)
    return Page(rows, (last_at, last_id) if looked == depth else None, looked)

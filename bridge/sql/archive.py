"""The archive of a queue: what ended how, and what failed."""

from collections import Counter
from datetime import datetime
from typing import Any

from bridge.message import History, Reason
from bridge.sql.querying import as_history, loaded
from bridge.sql.rolled import Rolled
from bridge.sql.rows import Archived, FailedMessage


class Archive(Rolled):
    """What stands on archived messages."""

    def archived_since(self, *, hours: int) -> Archived:
        """How many messages were archived within the last `hours`."""
        counts: Counter[str | None] = Counter()
        refused = put_back = 0
        for outcome, reason, was_put_back, count in self._all("archived_since", hours=hours):
            if was_put_back:
                put_back += count
                continue
            counts[outcome] += count
            refused += count if reason else 0
        return Archived(dict(counts), refused, put_back)

    def failures(
        self, *, limit: int, refused: bool = False, hours: int | None = None, depth: int | None = None
    ) -> list[tuple[int, str]]:
        """Ids and reasons of the newest failed messages that were not put back, those that our rules refused or others.

        No more of the archive than its `depth` newest, and the last `hours`, is looked through.
        """
        rows = self._all("failures", limit=limit, refused=refused, hours=hours, depth=depth)
        return [(msg_id, why or "") for msg_id, why in rows]

    def failed(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        reason: Reason | None = None,
        characters: int = 0,
        until: datetime | None = None,
        ids: list[int] | None = None,
    ) -> list[FailedMessage]:
        """A page of failed messages that were not put back yet, by id, with ids greater than `after`.

        Those that our rules refuse are left out, unless `reason` asks for them. `characters` is how much of each body
        is wanted; `until` leaves out what was archived later. With `ids` it is those of them that
        failed, whatever the reason.
        """
        asked = {"after": after, "limit": limit, "characters": characters, "until": until, "ids": ids}
        rows = self._all("failed", **asked, reason=reason.value if reason else None)
        return [
            FailedMessage(msg_id, archived_at, History.parse(loaded(raw)), why or "", text)
            for msg_id, archived_at, raw, why, text in rows
        ]

    def archived_history(self, msg_id: int) -> dict[str, Any] | None:
        """What the bridge wrote on an archived message; `None` when it is not in the archive."""
        rows = self._all("archived_history", msg_id=msg_id)
        return as_history(rows[0][0]) if rows else None

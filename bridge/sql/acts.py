"""What operators do to messages of a queue, many at once. Call what locks, and what changes, in one transaction."""

import json
from datetime import datetime
from typing import Any

from bridge.message import LastError, Token
from bridge.sql.querying import Querying
from bridge.sql.rows import QueuedRow, Standing
from bridge.sql.wanted import Wanted


class Acts(Querying):
    """Compare-and-set: each returns which messages it found as they have to be."""

    def has_all_in_rollup(self, *, limit: int) -> bool:
        """Whether the roll-up lacks so little that a statement adds it by itself, with the same `limit`."""
        return int(self._all("rest_of_rollup", limit=limit, whole=True)[0][0]) < limit

    def open_ids(
        self, wanted: Wanted, *, after: int = 0, most: int, limit: int | None = None
    ) -> list[tuple[int, str | None, str | None]]:
        """Id, kind and words of the error of failed messages that are open, by id, with ids greater than `after`.

        From the roll-up and at most `limit` messages that it lacks; without a `limit` from the archive alone.
        """
        asked = {**wanted.values(), "after": after, "most": most}
        if limit is None:
            return self._all("open_ids_in_archive", **asked)
        return self._all("open_ids", **asked, limit=limit, whole=True)

    def lock_archive(self, ids: list[int], *, wait: bool) -> list[int]:
        """Lock archived messages; without `wait` those that somebody else has in hand are left out."""
        rows = self._all("wait_for_archive" if wait else "lock_archive", ids=ids)
        return [msg_id for (msg_id,) in rows]

    def requeue(
        self, ids: list[int], *, act: int | None, rate: float | None, nth: int, even_discarded: bool
    ) -> list[tuple[int, int]]:
        """Send locked messages that failed again, with a link to the old ones; returns pairs of old and new ids.

        With a `rate` a second, where `nth` were sent by this act before.
        """
        query = "requeue_with_headers" if self.look() else "requeue_without_headers"
        pairs = self._all(query, ids=ids, act=act, rate=rate, nth=nth, even_discarded=even_discarded)
        return sorted((old, new) for old, new in pairs)

    def note_requeued(self, pairs: list[tuple[int, int]]) -> None:
        """Let those that the roll-up has leave its lists."""
        self._execute("note_requeued", olds=[old for old, _ in pairs], news=[new for _, new in pairs])

    def discard_archived(self, ids: list[int], *, act: int | None) -> dict[int, datetime]:
        """Note on locked failed messages that they are dealt with; returns which, and when they were sent."""
        return dict(self._all("discard_archived", ids=ids, act=act))

    def note_discarded(self, ids: list[int]) -> None:
        """Let those that the roll-up has leave its lists."""
        self._execute("note_discarded", ids=ids)

    def standings(self, ids: list[int]) -> list[Standing]:
        return [Standing(*row) for row in self._all("standings", ids=ids)]

    def lock_queue(self, ids: list[int]) -> list[QueuedRow]:
        """Lock messages of the queue; those that somebody else has in hand are left out."""
        rows = self._all("lock_queue", ids=ids)
        return [QueuedRow(Token(msg_id, vt), state, kept) for msg_id, vt, state, kept in rows]

    def hasten(self, tokens: list[Token]) -> list[int]:
        """Let locked messages that wait for a repeat be due at once."""
        return [msg_id for msg_id, _ in self._all("hasten", **_arrays(tokens))]

    def waiting_for_repeat(self, *, after: int = 0, limit: int) -> list[tuple[int, str | None, str | None, str | None]]:
        """Id, kind and words of the last error, and trace id of messages that wait for a repeat, by id."""
        return self._all("waiting_for_repeat", after=after, limit=limit)

    def discard_queued(self, tokens: list[Token], *, act: int | None, error: LastError) -> list[int]:
        """End locked messages of the queue as failed, with the reason `discarded`, and move them to the archive."""
        told = json.dumps({"type": error.type, "message": error.message})
        ended = [msg_id for (msg_id,) in self._all("discard_queued", **_arrays(tokens), act=act, error=told)]
        return [msg_id for (msg_id,) in self._all("archive_all", msg_ids=ended)] if ended else []


def _arrays(tokens: list[Token]) -> dict[str, list[Any]]:
    ids: list[int] = [token.msg_id for token in tokens]
    vts: list[datetime] = [token.vt for token in tokens]
    return {"ids": ids, "vts": vts}

"""What was archived, as the roll-up has it, and the way into it."""

from collections.abc import Sequence
from typing import Any

from bridge.histogram import Histogram
from bridge.sql.querying import Querying
from bridge.sql.rows import Ended

# Of the rest since the watermark, for whoever waits for an answer; beat adds more at once.
MOST_OF_THE_REST = 5000


class Rolled(Querying):
    """The roll-up of one queue. Its tables may not be there yet: `bridge.rollup.ready` tells."""

    def lock_rolled(self) -> bool | None:
        """Lock the state of the roll-up until the transaction ends; `None`: there is none, or somebody else has it.

        Returns whether it is about the queue that there is now.
        """
        rows = self._all("rolled_queue")
        return bool(rows[0][0]) if rows else None

    def begin_rolling(self) -> None:
        """Make the state, where there is none."""
        self._execute("begin_rolling")

    def begin_rolling_anew(self) -> None:
        self._execute("begin_rolling_anew")

    def roll_up(self, *, limit: int) -> int:
        """Add up to `limit` archived messages; returns how many. Call it with the state locked."""
        return int(self._all("roll_up", limit=limit, whole=True)[0][0])

    def sweep(self, *, patience: float, gaps: int) -> None:
        """Close gaps of ids that no message will ever have, known so for `patience` seconds, and note those of now.

        Only where there are more than so many gaps: looking each of them up takes time.
        """
        self._execute("sweep", patience=patience)
        self._execute("plan_sweep", patience=patience, gaps=gaps)

    def settle_failures(self, *, after: int, limit: int) -> int | None:
        """Bring rows of failed messages in line with the archive; returns the last id, `None` after the last one."""
        count, last = self._all("settle_failures", after=after, limit=limit)[0]
        return last if count == limit else None

    def prune(self, *, days: int, limit: int) -> int:
        """Delete up to `limit` archived messages older than `days` that are in the roll-up; returns how many."""
        return int(self._all("prune", days=days, limit=limit)[0][0])

    def day(self, *, hours: int, limit: int = MOST_OF_THE_REST) -> list[Ended]:
        """What ended since the hour began that was `hours` ago."""
        rows = self._all("day", hours=hours, limit=limit, whole=False)
        return [Ended(hour, *ended_of(rest, counted=counted)) for hour, *rest, counted in rows]

    def rest(self, *, limit: int = MOST_OF_THE_REST) -> list[Ended]:
        """What ended since the watermark: mostly nothing, which is found out first, as it costs less."""
        if not self._all("has_rest", limit=1, whole=False)[0][0]:
            return []
        return [Ended(None, *ended_of(row)) for row in self._all("rest", limit=limit, whole=False)]

    def open_failures(self, **wanted: Any) -> list[tuple[Any, ...]]:
        return self._all("open_failures", limit=MOST_OF_THE_REST, whole=False, **wanted)

    def failure_groups(self, **wanted: Any) -> list[tuple[Any, ...]]:
        return self._all("failure_groups", limit=MOST_OF_THE_REST, whole=False, **wanted)

    def count_failures(self, **wanted: Any) -> int:
        return int(self._all("count_failures", limit=MOST_OF_THE_REST, whole=False, **wanted)[0][0])


def ended_of(row: Sequence[Any], *, counted: bool = True) -> tuple[str, str, int, int, Histogram, Histogram]:
    """Where it is not `counted`, the row has the number of the bucket that each message fell into."""
    outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds = row
    read = Histogram.of if counted else Histogram.of_each
    return outcome, reason, int(count), int(attempts), read(waiting, waiting_seconds), read(running, running_seconds)

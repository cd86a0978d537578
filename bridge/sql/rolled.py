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

    def lock_rolled(self) -> tuple[bool | None, bool] | None:
        """Lock the state of the roll-up until the transaction ends; `None`: there is none, or somebody else has it.

        Returns whether it is about the queue that there is now (`None`: that cannot be known), and whether its archive
        is found by id.
        """
        rows = self._all("rolled_queue")
        return (rows[0][0], rows[0][1]) if rows else None

    def begin_rolling(self) -> bool:
        """Make the state; false where it is there, or nothing says when the queue was made."""
        return self._execute("begin_rolling") > 0

    def begin_rolling_anew(self) -> None:
        self._execute("begin_rolling_anew")

    def roll_up(self, *, limit: int, by_id: bool) -> int:
        """Add up to `limit` archived messages; returns how many. Call it with the state locked."""
        return int(self._all("roll_up", limit=limit, by_id=by_id)[0][0])

    def day(self, *, hours: int, limit: int = MOST_OF_THE_REST) -> list[Ended]:
        """What ended since the hour began that was `hours` ago."""
        return [Ended(hour, *_ended(rest)) for hour, *rest in self._all("day", hours=hours, limit=limit, by_id=True)]

    def ever(self, *, limit: int = MOST_OF_THE_REST) -> list[Ended]:
        """What ever ended."""
        return [Ended(None, *_ended(rest)) for rest in self._all("ever", limit=limit, by_id=True)]

    def open_failures(self, **wanted: Any) -> list[tuple[Any, ...]]:
        return self._all("open_failures", limit=MOST_OF_THE_REST, by_id=True, **wanted)

    def failure_groups(self, **wanted: Any) -> list[tuple[Any, ...]]:
        return self._all("failure_groups", limit=MOST_OF_THE_REST, by_id=True, **wanted)

    def count_failures(self, **wanted: Any) -> int:
        return int(self._all("count_failures", limit=MOST_OF_THE_REST, by_id=True, **wanted)[0][0])


def _ended(row: Sequence[Any]) -> tuple[str, str, int, int, Histogram, Histogram]:
    outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds = row
    times = Histogram.of(waiting, waiting_seconds), Histogram.of(running, running_seconds)
    return outcome, reason, int(count), int(attempts), *times

"""How a queue did: the roll-up and the rest since its watermark, in one statement and so in one moment."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from bridge.histogram import Histogram, Percentiles
from bridge.message import Outcome, Reason
from bridge.models import RolledTotal
from bridge.pgmq import pgmq_queue
from bridge.sql.rolling import DISCARDED, OPEN, OTHER, PUT_BACK
from bridge.sql.rows import Ended

HOURS = 24


@dataclass(frozen=True, slots=True)
class Day:
    """What ended in the last 24 hours.

    `failed` is what failed and is open still: neither put back nor discarded since, but with the `refused`, which our
    rules forbid. `others` somebody else archived. All but open failures are kept by the hour, so they count the hour in
    which the 24 began as a whole. `by_hour` is all that ended, `failed_by_hour` what failed, whatever became of it; the
    hour of now is the last one. `rate` is messages a minute, over the last hour.
    """

    succeeded: int
    failed: int
    refused: int
    duplicates: int
    others: int
    put_back: int
    discarded: int
    by_hour: tuple[int, ...]
    failed_by_hour: tuple[int, ...]
    waiting: Percentiles
    running: Percentiles
    rate: float

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.duplicates + self.others + self.put_back + self.discarded


def day(queue: str) -> Day:
    """Raises `QueueMissing`. The tables of the roll-up have to be there (`bridge.rollup.ready`)."""
    return _summed(pgmq_queue(queue).day(hours=HOURS), timezone.now())


def ever(*queues: str) -> dict[str, list[Ended]]:
    """All that ever ended in queues of these names, by outcome and reason: numbers that never fall.

    Roll-up and rest are read one after the other, so call it in a transaction that is repeatable read. Raises
    `QueueMissing`.
    """
    found: dict[str, dict[tuple[str, str], Ended]] = {queue: {} for queue in queues}
    for row in RolledTotal.objects.filter(queue__in=queues):
        times = Histogram.of(row.waiting, row.waiting_seconds), Histogram.of(row.running, row.running_seconds)
        ended = Ended(None, row.outcome, row.reason, row.count, row.attempts, *times)
        found[row.queue][row.outcome, row.reason] = ended
    for queue, added in found.items():
        for one in pgmq_queue(queue).rest():
            key = one.outcome, one.reason
            added[key] = _both(added[key], one) if key in added else one
    return {queue: [added[key] for key in sorted(added)] for queue, added in found.items()}


def _both(one: Ended, other: Ended) -> Ended:
    return Ended(
        *(None, one.outcome, one.reason, one.count + other.count, one.attempts + other.attempts),
        *(one.waiting + other.waiting, one.running + other.running),
    )


def _summed(all_ended: Iterable[Ended], now: datetime) -> Day:
    counts: Counter[tuple[str, bool]] = Counter()
    by_hour: Counter[datetime] = Counter()
    failed_by_hour: Counter[datetime] = Counter()
    in_hours: list[Ended] = []
    for ended in all_ended:
        counts[ended.outcome, ended.reason == Reason.REFUSED] += ended.count
        if ended.hour is None:
            continue
        in_hours.append(ended)
        by_hour[ended.hour] += ended.count
        failed_by_hour[ended.hour] += ended.count if ended.outcome == Outcome.FAILED else 0
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=number) for number in range(HOURS - 1, -1, -1)]
    refused = max(counts[Outcome.FAILED, True] - counts[PUT_BACK, True], 0)
    return Day(
        succeeded=counts[Outcome.SUCCEEDED, False],
        failed=counts[OPEN, False] + refused,
        refused=refused,
        duplicates=counts[Outcome.DUPLICATE, False],
        others=counts[OTHER, False],
        put_back=counts[PUT_BACK, False] + counts[PUT_BACK, True],
        discarded=counts[DISCARDED, False],
        by_hour=tuple(by_hour[hour] for hour in hours),
        failed_by_hour=tuple(failed_by_hour[hour] for hour in hours),
        waiting=Percentiles.of(Histogram.added(ended.waiting for ended in in_hours)),
        running=Percentiles.of(Histogram.added(ended.running for ended in in_hours)),
        rate=_rate(by_hour, this_hour, now),
    )


def _rate(by_hour: Counter[datetime], this_hour: datetime, now: datetime) -> float:
    """A minute, over the last hour: the begun one, and of the one before so much as is missing."""
    begun = (now - this_hour).total_seconds() / 3600
    return (by_hour[this_hour] + by_hour[this_hour - timedelta(hours=1)] * (1 - begun)) / 60

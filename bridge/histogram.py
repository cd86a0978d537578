"""Histograms of seconds with buckets that are the same for ever: five a decade, from a millisecond to a day."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The preferred numbers R5, so that labels stay short. What is stored counts on them: they can never be changed.
BOUNDS: tuple[float, ...] = (
    *(round(step * 10.0**decade, 6) for decade in range(-3, 5) for step in (1.0, 1.6, 2.5, 4.0, 6.3)),
    100_000.0,
)
# One below the first bound, one between each two, one above the last.
BUCKETS = len(BOUNDS) + 1


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many of the measured times fell into which bucket, and their sum in seconds."""

    counts: tuple[int, ...] = (0,) * BUCKETS
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.counts)

    @classmethod
    def of(cls, counts: Sequence[int], seconds: float) -> "Histogram":
        """As it is stored, where nothing may be stored as no list at all."""
        return cls(tuple(map(int, counts)), float(seconds)) if counts else cls()

    @classmethod
    def of_each(cls, buckets: Iterable[int], seconds: float) -> "Histogram":
        """From the number of the bucket that each measured time fell into."""
        found = Counter(buckets)
        return cls(tuple(found[number] for number in range(BUCKETS)), float(seconds))

    def __add__(self, other: "Histogram") -> "Histogram":
        both = tuple(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True))
        return Histogram(both, self.seconds + other.seconds)

    @classmethod
    def added(cls, all_of_them: Iterable["Histogram"]) -> "Histogram":
        """The sum of many, in a fraction of the time that adding them one by one takes."""
        each = list(all_of_them)
        if not each:
            return cls()
        return cls(tuple(map(sum, zip(*(one.counts for one in each), strict=True))), sum(one.seconds for one in each))

    def percentile(self, percent: float) -> float | None:
        """The time that so many percent do not exceed, as near as the buckets tell; `None` where nothing was measured.

        Within its bucket it is set where it would be if the logarithms were spread evenly.
        """
        wanted = self.total * percent / 100.0
        if not wanted:
            return None
        before = 0
        for number, count in enumerate(self.counts):
            if count and before + count >= wanted:
                return _within(number, (wanted - before) / count)
            before += count
        return BOUNDS[-1]


def _within(number: int, part: float) -> float:
    if number == 0:
        return float(BOUNDS[0] * part)
    if number == len(BOUNDS):
        return BOUNDS[-1]
    low, high = BOUNDS[number - 1], BOUNDS[number]
    return float(low * (high / low) ** part)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds that half and that nineteen of twenty do not exceed; `None`: nothing was measured."""

    p50: float | None = None
    p95: float | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> "Percentiles":
        return cls(histogram.percentile(50), histogram.percentile(95))

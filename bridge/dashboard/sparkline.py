"""A day in a line's height: a bar an hour, as numbers that a template draws, and in words for who does not see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from staff.formats import whole

WIDTH, HEIGHT = 4, 22
GAP = 1


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A drawing of `width` × `height` units as one path (SVG); empty hours have no bar."""

    path: str
    text: str
    width: int
    height: int = HEIGHT


def sparkline(by_hour: Sequence[int], now: datetime | None = None) -> Sparkline:
    """The oldest hour first. However few there were, an hour that had any shows a bar."""
    most = max(by_hour, default=0)
    heights = [max(2, round(count / most * HEIGHT)) if count else 0 for count in by_hour]
    path = "".join(
        f"M{place * (WIDTH + GAP)} {HEIGHT}v-{height}h{WIDTH}v{height}z"
        for place, height in enumerate(heights)
        if height
    )
    return Sparkline(path, _words(by_hour, now or timezone.now()), len(by_hour) * (WIDTH + GAP) - GAP)


def _words(by_hour: Sequence[int], now: datetime) -> str:
    total = sum(by_hour)
    if not total:
        return _("Nothing in 24 hours.")
    most = max(by_hour)
    ago = len(by_hour) - 1 - by_hour.index(most)
    hour = timezone.localtime(now - timedelta(hours=ago)).hour
    text = _("%(total)s in 24 hours; most of them, %(most)s, in the hour from %(hour)s:00.")
    return text % {"total": whole(total), "most": whole(most), "hour": hour}

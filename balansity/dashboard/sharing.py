"""What a part of the home page said a moment ago is said to others as well: ten who look cost hardly more than one.

No part depends on who looks: rights decide which of them are shown. While nothing is committed, what Postgres would
say is what it said, but for the time that has passed; so whoever opens the page, and whoever asks for news and has the
latest already, sees the database as it is. Only whoever has something older is content with what another was told.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import get_language

from staff.attention import Watch
from staff.sections import Section

# The times in it are as old, and so is what others were told that is news to somebody.
KEPT_SECONDS = 2.0
# One at a time reads in a process, and hardly longer than this.
PATIENCE_SECONDS = 2.0

Part = Watch | Section
Key = tuple[Any, ...]

# Which transactions have ended, as a short text; of this very database, as another may get its name.
_SEEN = "SELECT oid, pg_current_snapshot()::text FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Said:
    """What a part said, or `None` where it could not be read; when, by both clocks, and what was committed by then."""

    what: Any
    at: float
    of: datetime
    seen: tuple[Any, ...] | None


class Sharing:
    """What this process knows, by database and language."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Key, Said] = {}
        self._turn = threading.Lock()

    def lately(self, parts: Sequence[Part]) -> list[Said] | None:
        """What others were told of all these within the last seconds, whatever has happened since, if they were."""
        found = [self._kept.get(_key(part)) for part in parts]
        known = [said for said in found if said is not None and self._is_new(said)]
        return known if len(known) == len(parts) else None

    def now(self, parts: Sequence[Part], read: Callable[[Sequence[Part]], Sequence[Any]]) -> list[Said]:
        """What they say as of now; those of which that is not known are read."""
        came = self._clock()
        is_my_turn = self._turn.acquire(timeout=PATIENCE_SECONDS)
        try:
            seen = _seen()
            found = {part: self._kept.get(_key(part)) for part in parts}
            wanted = [part for part, said in found.items() if not self._holds(said, came, seen)]
            if wanted:
                at, of = self._clock(), timezone.localtime()
                for part, what in zip(wanted, read(wanted), strict=True):
                    found[part] = self._kept[_key(part)] = Said(what, at, of, seen)
            return [said for said in found.values() if said is not None]
        finally:
            if is_my_turn:
                self._turn.release()

    def _holds(self, said: Said | None, came: float, seen: tuple[Any, ...] | None) -> bool:
        """Whether it was read since somebody came, or nothing was committed since it was; no failure is for others."""
        if said is None or said.what is None or not self._is_new(said):
            return False
        return said.at > came or (seen is not None and said.seen == seen)

    def _is_new(self, said: Said) -> bool:
        return 0 <= self._clock() - said.at < KEPT_SECONDS


def _seen() -> tuple[Any, ...] | None:
    # In a transaction there is more to see than what was committed.
    if connection.in_atomic_block:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_SEEN)
        return tuple(cursor.fetchone())


def _key(part: Part) -> Key:
    there = connection.settings_dict
    return part, there["HOST"], there["PORT"], there["NAME"], get_language()


sharing = Sharing()

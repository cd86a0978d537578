"""Whether anything was archived since: a pass through the roll-up of every queue is dear where nothing ever happens.

Postgres counts what is written into each table. It does so some seconds late, which is no matter: what a pass did not
find yet changes the counts after it. They are no proof (a crash sets them to nothing, and `track_counts` may be off),
so a pass follows now and then all the same.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

# How long nobody looks where nothing seems to happen.
LONGEST_SECONDS = 300.0

# A pass writes no archive, so it changes none of this. Tables that are made or dropped do.
_WRITTEN = """
SELECT current_setting('track_counts')::boolean, count(*), sum(oid::bigint),
       sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid))
FROM pg_class WHERE relnamespace = to_regnamespace('pgmq') AND relkind IN ('r', 'p') AND relname LIKE 'a\\_%'
"""


@dataclass
class Quiet:
    """What this process saw when a pass last found nothing."""

    _written: tuple[Any, ...] | None = None
    _until: float = field(default=0.0)

    def lasts(self) -> bool:
        """Whether nothing was written since then. Ask before a pass, and say with `found` what came of that."""
        with connection.cursor() as cursor:
            cursor.execute(_WRITTEN)
            is_counted, *written = cursor.fetchone()
        before, self._written = self._written, (*written, connection.settings_dict["NAME"]) if is_counted else None
        if self._written is not None and before == self._written and time.monotonic() < self._until:
            return True
        # Until a pass has come to its end.
        self._until = 0.0
        return False

    def found(self, added: int) -> None:
        """Note what a pass added. After one that added something another is to look."""
        self._until = 0.0 if added else time.monotonic() + LONGEST_SECONDS

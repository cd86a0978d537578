"""The rows of processes: written by the bridges, for themselves and for those that have no database; read by all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from bridge.models import BridgeProcess
from bridge.processes.pulse import DEAD_AFTER, Heard, Kind

# Without the column `kind`, which has a default, a new bridge beats before `migrate` has made it as well.
_BEAT = """
INSERT INTO bridge_bridgeprocess (name, started_at, seen_at, stopped_at, published, archived, waits_for)
VALUES (%(name)s, %(started)s, statement_timestamp(), NULL, %(published)s, %(archived)s, %(waits_for)s)
ON CONFLICT (name) DO UPDATE
SET seen_at = excluded.seen_at, published = excluded.published, archived = excluded.archived,
    waits_for = excluded.waits_for, stopped_at = CASE WHEN %(stopped)s THEN excluded.seen_at END
"""
# Two bridges may have heard the same, or one of them something older.
_HEARD = """
INSERT INTO bridge_bridgeprocess AS known (name, kind, started_at, seen_at, stopped_at, published, archived, waits_for)
SELECT name, kind, started_at, statement_timestamp() - make_interval(secs => age),
       CASE WHEN has_stopped THEN statement_timestamp() - make_interval(secs => age) END, 0, 0, waits_for
FROM unnest(%(names)s::text[], %(kinds)s::text[], %(started)s::timestamptz[], %(ages)s::float8[], %(waits_for)s::text[],
            %(stopped)s::boolean[]) AS heard (name, kind, started_at, age, waits_for, has_stopped)
ON CONFLICT (name) DO UPDATE
SET seen_at = greatest(known.seen_at, excluded.seen_at), waits_for = excluded.waits_for,
    stopped_at = coalesce(known.stopped_at, excluded.stopped_at)
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One run of a process. `is_missed`: it fell silent, did not say that it ends, and nothing came in its place."""

    name: str
    kind: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    waits_for: str
    is_alive: bool
    is_missed: bool

    @property
    def host(self) -> str:
        return host_of(self.name)


def write_beat(
    name: str, started: datetime, *, published: int, archived: int, waits_for: str, stopped: bool = False
) -> None:
    """Renew the row of this bridge, in one statement and by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            _BEAT,
            {
                "name": name,
                "started": started,
                "published": published,
                "archived": archived,
                "waits_for": waits_for,
                "stopped": stopped,
            },
        )


def write_heard(heard: Iterable[Heard]) -> None:
    """Write down what processes without a database noted."""
    told = [*heard]
    if not told:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _HEARD,
            {
                "names": [one.name for one in told],
                "kinds": [one.kind.value for one in told],
                "started": [one.started for one in told],
                "ages": [one.age for one in told],
                "waits_for": [one.waits_for for one in told],
                "stopped": [one.has_stopped for one in told],
            },
        )


def living(kind: Kind) -> list[BridgeProcess]:
    """The processes of a kind that beat lately and did not stop, the longest running first."""
    recent = BridgeProcess.objects.filter(kind=kind, stopped_at=None, seen_at__gt=timezone.now() - DEAD_AFTER)
    return list(recent.order_by("started_at"))


def processes() -> list[Process]:
    """All that are known, by kind; those of the last day."""
    rows = list(BridgeProcess.objects.order_by("kind", "started_at"))
    alive_since = timezone.now() - DEAD_AFTER
    return [
        Process(
            *(row.name, row.kind, row.started_at, row.seen_at, row.stopped_at, row.waits_for),
            is_alive=row.stopped_at is None and row.seen_at > alive_since,
            is_missed=row.stopped_at is None and row.seen_at <= alive_since and not _is_replaced(row, rows),
        )
        for row in rows
    ]


def host_of(name: str) -> str:
    return name.partition(":")[0]


def _is_replaced(row: BridgeProcess, rows: Iterable[BridgeProcess]) -> bool:
    """Whether a process of its kind began on its host after it had fallen silent: it was restarted."""
    return any(
        (other.kind, host_of(other.name)) == (row.kind, host_of(row.name))
        and other.name != row.name
        and other.started_at > row.seen_at
        for other in rows
    )

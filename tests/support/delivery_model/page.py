"""What stands in Postgres after a step, in one look."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from bridge.sql.prepared import Part, execute
from sandbox.probe.apps import QUEUE
from tests.support.delivery_model.clock import SCHEMA

_MICROSECONDS = "(extract(epoch FROM {}) * 1000000)::bigint"
_ROW = f"""json_build_object('vt', {_MICROSECONDS.format("vt")}, 'reads', read_ct, 'kind', jsonb_typeof(message),
    'leased_until', {_MICROSECONDS.format("(told ->> 'leased_until')::timestamptz")}, 'told', told)"""
# Each history is put together once.
_ROWS = f"""SELECT json_object_agg(msg_id, {_ROW}) FROM (
    SELECT *, bridge_history(message, headers) AS told FROM pgmq.{{}} OFFSET 0) AS row"""
_LOOK = f"""
SELECT {_MICROSECONDS.format("clock_timestamp()")},
       ({_ROWS.format(f"q_{QUEUE}")}),
       ({_ROWS.format(f"a_{QUEUE}")}),
       (SELECT json_object_agg(msg_id, number) FROM (
            SELECT msg_id, count(*) AS number FROM {SCHEMA}.effect GROUP BY 1) AS effects),
       (SELECT json_object_agg(msg_id, json_build_array(outcome, nullif(reason, ''))) FROM bridge_keptoutcome),
       (SELECT json_agg(json_build_array({_MICROSECONDS.format("until")}, let_through)) FROM bridge_queuehold)
"""


@dataclass(frozen=True, slots=True)
class Row:
    vt: int
    reads: int
    kind: str
    leased_until: int | None
    told: dict[str, Any]

    @property
    def attempts(self) -> int:
        return int(self.told.get("attempts", 0))

    @property
    def runs(self) -> bool:
        return self.leased_until == self.vt


@dataclass(frozen=True, slots=True)
class Page:
    """All that is committed, at one moment."""

    now: int
    queue: dict[int, Row]
    archive: dict[int, Row]
    effects: dict[int, int]
    kept: dict[int, tuple[str, str | None]]
    holds: list[tuple[int | None, int | None]]

    def holds_back(self, msg_id: int) -> bool:
        return any((until is None or until > self.now) and through != msg_id for until, through in self.holds)


def look() -> Page:
    with connection.cursor() as cursor:
        # Thousands of times in a test: it is planned once.
        execute(cursor, [Part(_LOOK)], {})
        now, queue, archive, effects, kept, holds = cursor.fetchone()
    return Page(
        now,
        {int(key): Row(**(row | {"told": row["told"] or {}})) for key, row in (queue or {}).items()},
        {int(key): Row(**(row | {"told": row["told"] or {}})) for key, row in (archive or {}).items()},
        {int(key): number for key, number in (effects or {}).items()},
        {int(key): (outcome, reason) for key, (outcome, reason) in (kept or {}).items()},
        [(until, through) for until, through in holds or []],
    )

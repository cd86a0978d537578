"""What a stretch of work cost: processor time of whole process trees, bytes of WAL, round trips to Postgres.

WAL is what `pg_walinspect` finds between two positions, its records without the full-page images: how many of those
there are depends on how long ago the last checkpoint was and not on the work. They are told apart, after a checkpoint
at the beginning, where there are most of them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from sandbox.bench.processors import processor_seconds
from sandbox.bench.rig import Rig
from sandbox.services.postgres import DATABASE


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds of a worker with its children, of a bridge and of Postgres; the position of the WAL."""

    worker: float
    bridge: float
    postgres: float
    wal: str


class Meter:
    """Reads the costs of a rig. Its own statements are made over one connection, and are few."""

    def __init__(self, built: Rig) -> None:
        self._built = built
        self._admin = psycopg2.connect(built.postgres.admin_url(DATABASE))
        self._admin.autocommit = True
        self._execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")

    def close(self) -> None:
        self._admin.close()

    def checkpoint(self) -> None:
        self._execute("CHECKPOINT")

    def read(self, *, worker: int, bridge: int | None = None) -> Usage:
        position = self._value("SELECT pg_current_wal_insert_lsn()")
        postgres = processor_seconds(self._built.postgres.pid)
        return Usage(processor_seconds(worker), processor_seconds(bridge) if bridge else 0.0, postgres, position)

    def wal(self, start: str, end: str) -> tuple[int, int]:
        """Bytes of records, and of full-page images, between two positions."""
        query = "SELECT sum(record_size), sum(fpi_size) FROM pg_get_wal_stats(%s, %s)"
        self._execute("SELECT pg_switch_wal()")
        records, images = self._row(query, [start, end])
        return int(records), int(images)

    def log_statements(self, wanted: bool) -> None:
        """Let Postgres write down what each connection asks for from now on, or stop it."""
        self._execute("ALTER SYSTEM SET log_statement TO %s", ["all" if wanted else "none"])
        self._execute("SELECT pg_reload_conf()")

    def _execute(self, statement: str, values: list[Any] | None = None) -> None:
        with self._admin.cursor() as cursor:
            cursor.execute(statement, values)

    def _row(self, statement: str, values: list[Any]) -> tuple[Any, ...]:
        with self._admin.cursor() as cursor:
            cursor.execute(statement, values)
            found: tuple[Any, ...] | None = cursor.fetchone()
        return found or ()

    def _value(self, statement: str) -> Any:
        return self._row(statement, [])[0]


def statements_logged(log: Path, start: int) -> list[str]:
    """Each query string that was sent since the log had `start` bytes; those of one string are one round trip."""
    with log.open("rb") as opened:
        opened.seek(start)
        text = opened.read().decode("utf-8", "replace")
    return [part.partition("\n20")[0].strip() for part in text.split("LOG:  statement: ")[1:]]

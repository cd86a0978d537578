"""What this process asks Postgres for: how often, and which columns it writes although they stay as they are."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support import deliveries

PACKAGES = ("notifications", "payments", "reports")
# Set with every change, so that it may by chance be what it was.
TOUCHED = {"updated_at"}
_UPDATE = re.compile(r'UPDATE\s+"?(\w+)"?\s+SET\s+(.*?)\s+WHERE', re.DOTALL | re.IGNORECASE)
_COLUMN = re.compile(r'(?:^|,\s*)"?(\w+)"? = ')


def round_trips(task: Any, msg_id: int) -> list[str]:
    """What one attempt of this message says, of a process that knows its queue: BEGIN and COMMIT are among it."""
    delivery = deliveries.read_one(task.pgmq_queue, msg_id)
    with CaptureQueriesContext(connection) as captured:
        deliveries.run(task, delivery)
    said = [str(query["sql"]) for query in captured.captured_queries]
    return [one for one in said if "pg_backend_pid" not in one]


@contextmanager
def written_in_vain() -> Iterator[list[str]]:
    """Columns, as `table.column`, of our packages' tables that an update within the block sets to what they are."""
    keys = {
        model._meta.db_table: str(model._meta.pk.column)
        for package in PACKAGES
        for model in apps.get_app_config(package).get_models()
        if model._meta.managed
    }
    found: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        updates = [(table, set(_COLUMN.findall(sets))) for table, sets in _UPDATE.findall(str(sql)) if table in keys]
        before = {table: _rows(table, keys[table]) for table, _ in updates}
        result = execute(sql, params, many, context)
        for table, columns in updates:
            found.extend(f"{table}.{column}" for column in _vain(columns, before[table], _rows(table, keys[table])))
        return result

    with connection.execute_wrapper(watch):
        yield found


def _rows(table: str, key: str) -> dict[Any, dict[str, Any]]:
    # Beside Django's cursors, which are watched.
    with connection.connection.cursor() as cursor:
        cursor.execute(f'SELECT "{key}", to_jsonb(t)::text FROM "{table}" AS t')  # Names of ours.
        return {found: json.loads(row) for found, row in cursor.fetchall()}


def _vain(columns: set[str], before: dict[Any, dict[str, Any]], after: dict[Any, dict[str, Any]]) -> list[str]:
    """Those that no row has otherwise now. What is empty costs nothing, and what no row fits writes nothing."""
    pairs = [(row, after[key]) for key, row in before.items() if key in after and after[key] != row]
    return sorted(
        column
        for column in columns - TOUCHED
        if pairs and all(old.get(column) == new.get(column) != "" for old, new in pairs)
    )

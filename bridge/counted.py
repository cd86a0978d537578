"""How many rows of a table are in which state, counted once a minute by beat: a million are not counted for a look."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from bridge.models import CountedRows
from bridge.postgres import first_line, is_outage
from bridge.seldom import Seldom

logger = logging.getLogger(__name__)

_failures = Seldom()


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows by state, as they were `at`."""

    by_state: dict[str, int]
    at: datetime


def count_rows(counts: Mapping[str, Callable[[], dict[str, int]]]) -> None:
    """Count everything anew, each by a query of the whole table. What cannot be counted keeps its old count."""
    for what, count in counts.items():
        try:
            with transaction.atomic():
                _keep(what, count())
        except DatabaseError as error:
            if is_outage(error):
                raise
            if _failures.tell(what):
                logger.warning("%s: could not be counted for metrics and dashboard: %s", what, first_line(error))


def _keep(what: str, by_state: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    rows = [CountedRows(what=what, state=state, count=count, at=now) for state, count in by_state.items()]
    # A state without a row is 0, as long as it was ever seen.
    CountedRows.objects.filter(what=what).exclude(state__in=by_state).update(count=0, at=now)
    CountedRows.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["what", "state"], update_fields=["count", "at"]
    )


def counted(what: str) -> Counted | None:
    """The latest count; `None`: there was none yet. Raises Django's `ProgrammingError` before `migrate`."""
    rows = list(CountedRows.objects.filter(what=what))
    return Counted({row.state: row.count for row in rows}, min(row.at for row in rows)) if rows else None

"""What of a row is written: what was changed, whenever it was loaded, and nothing else."""

from datetime import UTC, datetime

import pytest

from bridge.changes import Changes
from bridge.models import OutsideService

THEN = datetime(2026, 11, 23, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("database")


def test_a_column_that_was_not_loaded_is_written_where_it_was_set() -> None:
    OutsideService.objects.update_or_create(pk="smtp", defaults={"failing_since": None})
    row = OutsideService.objects.only("name").get(pk="smtp")
    changes = Changes(row)
    row.failing_since = THEN
    assert changes.names == ["failing_since"]
    assert changes.save()
    assert OutsideService.objects.get(pk="smtp").failing_since == THEN
    assert not changes.save()


def test_what_is_changed_in_place_is_written() -> None:
    row, _ = OutsideService.objects.update_or_create(pk="smtp", defaults={"failing": []})
    changes = Changes(row)
    assert not changes.save()
    row.failing.append(["email_queue", 1])
    assert changes.names == ["failing"]

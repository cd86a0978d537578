"""What a report costs Postgres: how many round trips, and no column written that stays as it is."""

import pytest

from reports.models import Report, Status
from reports.tasks import generate_report
from tests.support.report_deliveries import attempt, change_results, enqueue, make
from tests.support.statements import round_trips, written_in_vain

pytestmark = pytest.mark.usefixtures("seeded_database", "storage_server")

# Exactly, so that one more is seen; fewer are welcome, and are written down here.
FIRST = 23


def test_a_first_report_costs_so_many_round_trips() -> None:
    attempt(enqueue(kind="csv"))
    said = round_trips(generate_report, enqueue(kind="json"))
    assert Report.objects.filter(status=Status.STORED).count() == 2
    # The claim; the row in 10; what the report says in 4; where it lies, and the breaker's look; 6 of the outcome.
    assert len(said) == FIRST, said


def test_no_column_of_a_report_is_written_that_stays_as_it_is() -> None:
    with written_in_vain() as columns:
        assert make(kind="json").status == Status.STORED
        change_results()
        assert make(kind="json").status == Status.STORED
        attempt(enqueue(kind="json"))
    assert columns == []

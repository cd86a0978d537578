"""Reports from the queue to the storage and the mailbox, through what storages and workers do to them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.storage import Fault, FaultKind, StorageServer
from tests.acceptance.lasting.processes import Inbox, Lasting
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import mails
from tests.acceptance.test_report_delivery import (
    ALEKSANDRA,
    AMINA_IN_PROGRESS,
    ANNA,
    ARTYOM_CHECKUP,
    IGOR,
    LEYLA,
    NOT_CALCULATED,
    NOWHERE,
    announced,
    assert_stored_at_the_third_attempt,
    documents,
    report,
    stored,
)
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase

pytestmark = pytest.mark.usefixtures("lasting")


@pytest.fixture
def reports(database: ClonedDatabase) -> Ledger:
    """The report queue."""
    return Ledger(database.url, "report_generation_queue")


@pytest.fixture
def unfinished(reports: Ledger) -> Iterator[str]:
    """A check-up that is not finished, which the test may finish: at the end it is as it was."""
    columns = "status, completed_at, results_summary::text"
    [before] = reports.rows(f"SELECT {columns} FROM public.assessments WHERE id = %s", [AMINA_IN_PROGRESS])
    yield AMINA_IN_PROGRESS
    reports.execute(
        "UPDATE public.assessments SET status = %s, completed_at = %s, results_summary = %s WHERE id = %s",
        [*before, AMINA_IN_PROGRESS],
    )


def test_each_report_ends_as_its_message_and_its_checkup_decide(
    reports: Ledger, storage: StorageServer, mailbox: Inbox
) -> None:
    sent = {
        "pdf": report(),
        "csv": report(kind="csv"),
        "json": report(kind="json"),
        "another family": report(ARTYOM_CHECKUP, IGOR),
        "somebody else's": report(ARTYOM_CHECKUP, ANNA),
        "no such checkup": report(NOWHERE),
        "not finished": report(AMINA_IN_PROGRESS, LEYLA),
        "not calculated": report(NOT_CALCULATED, ALEKSANDRA),
        "no such kind": report(kind="docx"),
        "no report": ["report"],
    }
    ids = {name: reports.send(body) for name, body in sent.items()}
    endings = reports.await_endings(ids.values(), seconds=60)
    assert {
        name: (endings[number].outcome, endings[number].reason, endings[number].attempts)
        for name, number in ids.items()
    } == {
        "pdf": ("succeeded", "", 1),
        "csv": ("succeeded", "", 1),
        "json": ("succeeded", "", 1),
        "another family": ("succeeded", "", 1),
        "somebody else's": ("failed", "permanent_error", 1),
        "no such checkup": ("failed", "permanent_error", 1),
        "not finished": ("failed", "permanent_error", 1),
        "not calculated": ("failed", "retries_exhausted", 4),
        "no such kind": ("failed", "invalid_message", 1),
        "no report": ("failed", "invalid_message", 0),
    }
    rows = reports.rows("SELECT status, count(*)::int FROM balansity.reports_report GROUP BY status")
    assert dict(rows) == {"stored": 4, "failed": 4}
    assert documents(reports) == stored(storage)
    assert Counter(Path(key).suffix for key in storage.object_keys()) == {".pdf": 2, ".csv": 1, ".json": 1}
    wait_until(lambda: len(announced(mailbox)) == 2, "both families are told")
    assert announced(mailbox) == ["anna.sokolova@example.org", "igor.kovalev@example.org"]
    (mail,) = (mail for mail in mails(mailbox) if mail.recipient == "anna.sokolova@example.org")
    assert "/api/reports/" in mail.text


def test_a_checkup_that_is_completed_becomes_a_report_by_itself(
    reports: Ledger, storage: StorageServer, mailbox: Inbox, unfinished: str
) -> None:
    results = '{"emotional": {"score": 3, "status": "typical"}}'
    reports.execute(
        "UPDATE public.assessments SET status = 'completed', completed_at = now(), results_summary = %s WHERE id = %s",
        [results, unfinished],
    )
    wait_until(lambda: announced(mailbox), "the family is told of the report")
    assert announced(mailbox) == ["leyla.guseynova@example.org"]
    assert [key.split("/")[:2] for key in storage.object_keys()] == [[LEYLA, unfinished]]


def test_a_worker_that_is_killed_after_the_upload_and_before_the_commit_announces_nothing_twice(
    lasting: Lasting, reports: Ledger, storage: StorageServer, mailbox: Inbox
) -> None:
    doomed = lasting.worker()
    msg_id = reports.send(report())
    reports.await_attempt(msg_id)
    # Whoever holds the row keeps the outcome from being written.
    with reports.locked(msg_id):
        wait_until(lambda: len(storage.requests) == 2, "the document is uploaded and looked at")
        doomed.kill()
    (orphan,) = storage.object_keys()
    assert documents(reports) == {}
    reports.let_lease_run_out(msg_id)
    lasting.worker()
    ending = reports.await_ending(msg_id, seconds=60)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    everything = stored(storage)
    del everything[orphan]
    assert documents(reports) == everything
    assert reports.rows("SELECT key FROM balansity.reports_leftover") == [(orphan,)]
    wait_until(lambda: announced(mailbox), "the family is told")
    assert len(announced(mailbox)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.RESET, times=2, after=True),
        Fault(FaultKind.TRUNCATE, times=2, method="POST"),
        Fault(FaultKind.STATUS, times=2, status=503, after=True),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_storage_that_misbehaves_gets_the_report_at_a_later_attempt(
    reports: Ledger, storage: StorageServer, mailbox: Inbox, fault: Fault
) -> None:
    storage.faults.add(fault)
    assert_stored_at_the_third_attempt(reports, storage)
    assert announced(mailbox) == []

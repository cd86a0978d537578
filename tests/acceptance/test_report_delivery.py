"""Reports from the queue to the storage and the mailbox, through everything that storages and workers do to them."""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sandbox.mailbox import Mailbox
from sandbox.storage import Fault, FaultKind, StorageServer
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import mails
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase

ANNA, IGOR = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
LEYLA, ALEKSANDRA = "a0000000-0000-4000-8000-000000000003", "a0000000-0000-4000-8000-000000000004"
MARIA_CHECKUP, ARTYOM_CHECKUP = "c0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000003"
AMINA_IN_PROGRESS, NOT_CALCULATED = "c0000000-0000-4000-8000-000000000005", "c0000000-0000-4000-8000-000000000006"
NOWHERE = "c0000000-0000-4000-8000-00000000ffff"


def report(assessment_id: str = MARIA_CHECKUP, user_id: str = ANNA, kind: str = "pdf") -> dict[str, Any]:
    return {"assessment_id": assessment_id, "user_id": user_id, "report_type": kind, "created_at": "2026-11-23T11:30Z"}


@pytest.fixture
def reports(seeded_database: ClonedDatabase) -> Ledger:
    """The report queue of a database with the sample families in it."""
    return Ledger(seeded_database.url, "report_generation_queue")


@pytest.fixture
def storage(fleet: Fleet, tmp_path: Path) -> Iterator[StorageServer]:
    """Where the fleet keeps reports."""
    with StorageServer(tmp_path / "storage") as server:
        fleet.variables |= {
            "REPORTS_STORAGE": "supabase",
            "SUPABASE_URL": server.url,
            "SUPABASE_SERVICE_ROLE_KEY": server.service_key,
        }
        yield server
        # Before their storage goes, or they would complain about it in the logs of a test that failed.
        fleet.close()


def documents(reports: Ledger) -> dict[str, str]:
    """Key and checksum of each stored document, as the rows have them."""
    rows = reports.rows("SELECT storage_key, sha256 FROM balansity.reports_report WHERE storage_key <> ''")
    return dict(rows)


def stored(storage: StorageServer) -> dict[str, str]:
    """The same, as the storage has them."""
    return {key: sha256(storage.store.get("reports", key).content).hexdigest() for key in storage.object_keys()}


def announced(mailbox: Mailbox) -> list[str]:
    """Who was told of a report."""
    return sorted(mail.recipient for mail in mails(mailbox) if mail.subject == "Отчёт готов")


def test_each_report_ends_as_its_message_and_its_checkup_decide(
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox
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
    fleet.bridge()
    fleet.worker()
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
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox
) -> None:
    fleet.bridge()
    fleet.worker()
    results = '{"emotional": {"score": 3, "status": "typical"}}'
    reports.execute(
        "UPDATE public.assessments SET status = 'completed', completed_at = now(), results_summary = %s WHERE id = %s",
        [results, AMINA_IN_PROGRESS],
    )
    wait_until(lambda: announced(mailbox), "the family is told of the report")
    assert announced(mailbox) == ["leyla.guseynova@example.org"]
    assert [key.split("/")[:2] for key in storage.object_keys()] == [[LEYLA, AMINA_IN_PROGRESS]]


def test_a_worker_that_is_killed_while_it_renders_leaves_the_report_to_another(
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox
) -> None:
    fleet.bridge()
    doomed = fleet.worker()
    msg_id = reports.send(report())
    reports.await_attempt(msg_id)
    doomed.kill()
    assert storage.requests == []
    reports.let_lease_run_out(msg_id)
    fleet.worker()
    ending = reports.await_ending(msg_id, seconds=60)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    assert documents(reports) == stored(storage)
    wait_until(lambda: announced(mailbox), "the family is told")
    assert len(announced(mailbox)) == 1


def test_a_worker_that_is_killed_after_the_upload_and_before_the_commit_announces_nothing_twice(
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox
) -> None:
    fleet.bridge()
    doomed = fleet.worker()
    msg_id = reports.send(report())
    reports.await_attempt(msg_id)
    # Whoever holds the row keeps the outcome from being written.
    with reports.locked(msg_id):
        wait_until(lambda: len(storage.requests) == 2, "the document is uploaded and looked at")
        doomed.kill()
    (orphan,) = storage.object_keys()
    assert documents(reports) == {}
    reports.let_lease_run_out(msg_id)
    fleet.worker()
    ending = reports.await_ending(msg_id, seconds=60)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    everything = stored(storage)
    del everything[orphan]
    assert documents(reports) == everything
    assert reports.rows("SELECT key FROM balansity.reports_leftover") == [(orphan,)]
    wait_until(lambda: announced(mailbox), "the family is told")
    assert len(announced(mailbox)) == 1


def test_reports_wait_for_a_storage_that_is_down(
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox
) -> None:
    storage.stop()
    # Unscaled, so that the repeats do not run out before the storage is back.
    fleet.variables["BRIDGE_DELAY_SCALE"] = "1"
    fleet.bridge()
    worker = fleet.worker()
    msg_ids = [reports.send(report()), reports.send(report(kind="json"))]
    worker.await_text("attempt 1 of 4 failed")
    wait_until(lambda: worker.text.count("attempt 1 of 4 failed") == 2, "each report has failed once")
    assert documents(reports) == {}
    storage.start()
    endings = reports.await_endings(msg_ids, seconds=60)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    assert documents(reports) == stored(storage)
    wait_until(lambda: announced(mailbox), "the family is told")
    assert len(announced(mailbox)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.SILENT, times=2),
        Fault(FaultKind.RESET, times=2, after=True),
        Fault(FaultKind.TRUNCATE, times=2, method="POST"),
        Fault(FaultKind.STATUS, times=2, status=503, after=True),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_storage_that_misbehaves_gets_the_report_at_a_later_attempt(
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox, fault: Fault
) -> None:
    storage.faults.add(fault)
    fleet.variables["REPORTS_STORAGE_TIMEOUT"] = "2"
    fleet.bridge()
    fleet.worker()
    msg_id = reports.send(report(kind="json"))
    ending = reports.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 3)
    documented = documents(reports)
    assert len(documented) == 1
    assert documented.items() <= stored(storage).items()
    leftovers = {key for (key,) in reports.rows("SELECT key FROM balansity.reports_leftover")}
    assert leftovers >= set(storage.object_keys()) - documented.keys()
    assert announced(mailbox) == []


@pytest.mark.parametrize(
    ("mistake", "reason", "attempts"),
    [({"REPORTS_BUCKET": "avatars"}, "permanent_error", 1), ({}, "retries_exhausted", 4)],
    ids=["no such bucket", "another key, which may be mended meanwhile"],
)
def test_a_storage_that_refuses_ends_the_report(
    fleet: Fleet,
    reports: Ledger,
    storage: StorageServer,
    mailbox: Mailbox,
    mistake: dict[str, str],
    reason: str,
    attempts: int,
) -> None:
    fleet.variables |= mistake or {"SUPABASE_SERVICE_ROLE_KEY": "a-key-of-yesterday"}
    fleet.bridge()
    worker = fleet.worker()
    ending = reports.await_ending(reports.send(report(kind="json")))
    assert (ending.outcome, ending.reason, ending.attempts) == ("failed", reason, attempts)
    assert storage.object_keys() == []
    assert "a-key-of-yesterday" not in worker.text
    assert announced(mailbox) == []

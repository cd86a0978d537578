"""Reports whose processes are told something unusual, or must be new; those of the usual are in `lasting`."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sandbox.mailbox import Mailbox
from sandbox.storage import Fault, FaultKind, StorageServer
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import Received, mails
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


def announced(mailbox: Received) -> list[str]:
    """Who was told of a report."""
    return sorted(mail.recipient for mail in mails(mailbox) if mail.subject == "Отчёт готов")


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


def test_a_silent_storage_gets_the_report_at_a_later_attempt(
    fleet: Fleet, reports: Ledger, storage: StorageServer, mailbox: Mailbox
) -> None:
    storage.faults.add(Fault(FaultKind.SILENT, times=2))
    fleet.variables["REPORTS_STORAGE_TIMEOUT"] = "2"
    fleet.bridge()
    fleet.worker()
    assert_stored_at_the_third_attempt(reports, storage)
    assert announced(mailbox) == []


def assert_stored_at_the_third_attempt(reports: Ledger, storage: StorageServer) -> None:
    ending = reports.await_ending(reports.send(report(kind="json")))
    assert (ending.outcome, ending.attempts) == ("succeeded", 3)
    documented = documents(reports)
    assert len(documented) == 1
    assert documented.items() <= stored(storage).items()
    leftovers = {key for (key,) in reports.rows("SELECT key FROM balansity.reports_leftover")}
    assert leftovers >= set(storage.object_keys()) - documented.keys()


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

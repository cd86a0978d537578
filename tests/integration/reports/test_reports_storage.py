"""Reports in Supabase Storage, over HTTP, and in a folder: what is kept, and what every failure turns into."""

import logging
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from storage3.exceptions import StorageApiError

from bridge.errors import Away
from reports.making.upkeep import remove_leftovers
from reports.models import Leftover, Report
from reports.storage.storage import (
    LocalStorage,
    ObjectMissing,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    judge_outage,
    read_document,
)
from reports.storage.supabase import SupabaseStorage, _refusal
from sandbox.services.process import free_port
from sandbox.storage import Fault, FaultKind, StorageServer
from tests.support.far_below import far_below
from tests.support.report_deliveries import make

KEY = "a0000000-0000-4000-8000-000000000001/c0000000-0000-4000-8000-000000000001/0123456789abcdef.pdf"
CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 40
# For a storage that does not answer; one that does has time.
QUICK = 1.0
# How long one takes to answer that nobody waits for; the silent one never does.
HANGS_SECONDS = 60.0


@pytest.fixture
def storage(storage_server: StorageServer, request: pytest.FixtureRequest) -> Iterator[SupabaseStorage]:
    fault: Fault | None = request.getfixturevalue("fault") if "fault" in request.fixturenames else None
    timeout = QUICK if fault and fault.kind in {FaultKind.SILENT, FaultKind.SLOW} else 20.0
    with closing(storage_at(storage_server.url, storage_server.service_key, timeout=timeout)) as made:
        yield made


def storage_at(url: str, service_key: str, bucket: str = "reports", *, timeout: float = 20.0) -> SupabaseStorage:
    return SupabaseStorage(url=url, service_key=service_key, bucket=bucket, timeout=timeout)


def save(storage: SupabaseStorage) -> None:
    storage.save(KEY, ContentFile(CONTENT))


def test_what_is_saved_comes_back_byte_by_byte(storage: SupabaseStorage, storage_server: StorageServer) -> None:
    assert not storage.exists(KEY)
    save(storage)
    assert storage_server.object_keys() == [KEY]
    assert (storage.exists(KEY), storage.size(KEY)) == (True, len(CONTENT))
    with storage.open(KEY) as file:
        assert file.read() == CONTENT
    storage.delete(KEY)
    assert storage_server.object_keys() == []
    storage.delete(KEY)


def test_saving_the_same_key_again_replaces_the_object(storage: SupabaseStorage) -> None:
    save(storage)
    storage.save(KEY, ContentFile(b"newer"))
    with storage.open(KEY) as file:
        assert file.read() == b"newer"


def test_an_object_that_is_not_there_is_missing(storage: SupabaseStorage) -> None:
    with pytest.raises(ObjectMissing):
        storage.open(KEY)
    with pytest.raises(FileNotFoundError):
        storage.size(KEY)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.STATUS, status=500), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=544), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=429), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=409), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=302), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=401), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=403), StorageUnavailable),
        (Fault(FaultKind.STATUS, status=400), StorageRefused),
        (Fault(FaultKind.STATUS, status=413), StorageRefused),
        (Fault(FaultKind.STATUS, status=415), StorageRefused),
        (Fault(FaultKind.HTML), StorageUnavailable),
        (Fault(FaultKind.BROKEN_JSON), StorageUnavailable),
        (Fault(FaultKind.RESET), StorageUnavailable),
        (Fault(FaultKind.RESET, after=True), StorageUnavailable),
        (Fault(FaultKind.SILENT), StorageUnavailable),
        (Fault(FaultKind.SLOW, seconds=HANGS_SECONDS), StorageUnavailable),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.after}" if isinstance(value, Fault) else value.__name__,
)
def test_a_failed_upload_says_whether_a_repeat_helps_and_a_repeat_does(
    storage: SupabaseStorage, storage_server: StorageServer, fault: Fault, error: type[StorageError]
) -> None:
    storage_server.faults.add(fault)
    with far_below(HANGS_SECONDS), pytest.raises(error) as caught:
        save(storage)
    assert storage_server.service_key not in f"{caught.value!r} {caught.value}"
    save(storage)
    assert storage.size(KEY) == len(CONTENT)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "not_found", ObjectMissing),
        ("404", "NoSuchKey", ObjectMissing),
        (404, "NoSuchBucket", StorageRefused),
        (400, "not_found", StorageRefused),
        (500, "not_found", StorageUnavailable),
        ("odd", "not_found", StorageUnavailable),
    ],
)
def test_only_a_404_about_the_object_says_that_there_is_none(
    status: int | str, code: str, error: type[StorageError]
) -> None:
    assert type(_refusal(StorageApiError("Object not found", code, status))) is error


@pytest.mark.parametrize("answer", [{}, {"size": None}, {"size": "12"}])
def test_an_object_whose_size_nobody_says_counts_as_not_there_yet(
    storage: SupabaseStorage, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]
) -> None:
    monkeypatch.setattr(storage, "_info", lambda name: answer)
    with pytest.raises(StorageUnavailable, match="how large"):
        storage.size(KEY)


def test_a_download_that_breaks_off_is_no_document(storage: SupabaseStorage, storage_server: StorageServer) -> None:
    save(storage)
    storage_server.faults.add(Fault(FaultKind.TRUNCATE, method="GET"))
    with pytest.raises(StorageUnavailable):
        storage.open(KEY)


def test_a_wrong_key_may_be_mended_and_a_wrong_bucket_is_refused(storage_server: StorageServer) -> None:
    with closing(storage_at(storage_server.url, "somebody-elses-key")) as wrong_key, pytest.raises(StorageUnavailable):
        save(wrong_key)
    elsewhere = storage_at(storage_server.url, storage_server.service_key, bucket="avatars")
    with closing(elsewhere), pytest.raises(StorageRefused):
        save(elsewhere)
    assert storage_server.object_keys() == []


def test_a_refusal_says_with_which_status(storage: SupabaseStorage, storage_server: StorageServer) -> None:
    """For whoever says what mends it."""
    assert storage.is_public() is False
    for wrong, status in (
        (storage_at(storage_server.url, "another-key"), 403),
        (storage_at(storage_server.url, storage_server.service_key, bucket="others"), 404),
    ):
        with closing(wrong), pytest.raises(StorageError) as refused:
            wrong.is_public()
        assert refused.value.values["status"] == status


def test_a_storage_that_is_down_is_unavailable_at_once() -> None:
    with closing(storage_at(f"http://127.0.0.1:{free_port()}", "key")) as down, pytest.raises(StorageUnavailable):
        save(down)


def test_a_peer_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with closing(storage_at(url, "key")) as storage, pytest.raises(StorageUnavailable):
            storage.size(KEY)


def test_keys_never_leave_their_folder(storage: SupabaseStorage, storage_server: StorageServer) -> None:
    with pytest.raises(StorageError):
        storage.size("../../etc/passwd")
    assert storage_server.requests == []


def test_a_new_kind_of_key_is_sent_as_a_key_alone(tmp_path: Path) -> None:
    with (
        StorageServer(tmp_path / "storage", service_key="sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz") as server,
        closing(storage_at(server.url, server.service_key)) as storage,
    ):
        save(storage)
        assert storage.size(KEY) == len(CONTENT)


def test_the_service_key_stands_in_no_log_line(
    storage: SupabaseStorage, storage_server: StorageServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    save(storage)
    storage_server.faults.add(Fault(FaultKind.STATUS, status=500))
    with pytest.raises(StorageUnavailable):
        save(storage)
    assert caplog.records
    assert storage_server.service_key not in caplog.text


def test_reports_have_no_public_address(storage: SupabaseStorage, tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError):
        storage.url(KEY)
    with pytest.raises(NotImplementedError):
        LocalStorage(str(tmp_path)).url(KEY)


def test_a_local_folder_is_open_to_its_owner_alone(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path / "reports"))
    storage.save(KEY, ContentFile(CONTENT))
    path = tmp_path / "reports" / KEY
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:3]} == {0o700}


@pytest.mark.usefixtures("seeded_database")
def test_an_upload_that_the_storage_cut_short_does_not_become_the_report(storage_server: StorageServer) -> None:
    storage_server.faults.add(Fault(FaultKind.TRUNCATE, method="POST"))
    report = make(kind="json")
    assert (report.status, report.error_type, report.has_document) == ("retrying", "StorageUnavailable", False)
    assert re.search(r"kept \d+ of \d+ bytes", report.error)


@pytest.mark.usefixtures("seeded_database")
def test_a_document_that_was_changed_in_the_storage_is_not_given_out(storage_server: StorageServer) -> None:
    report = make(kind="json")
    assert read_document(report).startswith(b"{")
    storage_server.store.put(
        "reports", report.storage_key, b"{}", content_type="application/json", cache_control="", upsert=True
    )
    with pytest.raises(StorageUnavailable):
        read_document(report)
    storage_server.store.remove("reports", [report.storage_key])
    with pytest.raises(ObjectMissing):
        read_document(report)


@pytest.mark.usefixtures("seeded_database", "storage_server")
def test_a_document_that_is_not_in_the_folder_is_missing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = make(kind="json")
    monkeypatch.setattr("reports.storage.storage.report_storage", lambda: LocalStorage(str(tmp_path / "empty")))
    with pytest.raises(ObjectMissing, match=f"the document of report {report.pk}"):
        read_document(report)


@pytest.mark.usefixtures("seeded_database")
def test_leftovers_wait_while_the_storage_is_away_and_go_when_it_is_back(storage_server: StorageServer) -> None:
    make(kind="json")
    report = make(kind="json")
    Leftover.objects.update(due_at=timezone.now())
    storage_server.faults.add(Fault(FaultKind.STATUS, status=503, method="DELETE"))
    assert remove_leftovers() == 0
    assert Leftover.objects.count() == 1
    assert remove_leftovers() == 1
    assert remove_leftovers() == 0
    assert not Leftover.objects.exists()
    assert storage_server.object_keys() == [report.storage_key]


@pytest.mark.usefixtures("seeded_database", "storage_server")
def test_nothing_is_removed_before_it_is_due() -> None:
    make(kind="json")
    make(kind="json")
    assert remove_leftovers() == 0
    assert Leftover.objects.count() == 1
    assert storages["reports"].exists(Report.objects.get().storage_key)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(FaultKind.STATUS, status=500), Away.SERVER_ERROR),
        (Fault(FaultKind.STATUS, status=544), Away.SERVER_ERROR),
        (Fault(FaultKind.STATUS, status=503), Away.SERVER_ERROR),
        (Fault(FaultKind.STATUS, status=429), Away.QUOTA),
        (Fault(FaultKind.STATUS, status=401), Away.REFUSED),
        (Fault(FaultKind.STATUS, status=403), Away.REFUSED),
        (Fault(FaultKind.STATUS, status=409), None),
        (Fault(FaultKind.STATUS, status=423), None),
        (Fault(FaultKind.STATUS, status=413), None),
        (Fault(FaultKind.RESET), Away.AWAY),
        (Fault(FaultKind.SILENT), Away.AWAY),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else str(value),
)
def test_what_every_document_would_meet_is_an_outage(
    storage: SupabaseStorage, storage_server: StorageServer, fault: Fault, kind: Away | None
) -> None:
    storage_server.faults.add(fault)
    with pytest.raises(StorageError) as caught:
        save(storage)
    verdict = judge_outage(caught.value)
    assert (verdict.kind if verdict else None) is kind


def test_a_folder_that_cannot_be_written_is_an_outage_and_a_document_that_is_not_there_is_none(tmp_path: Path) -> None:
    full = judge_outage(OSError(28, "No space left on device", str(tmp_path / "anna")))
    assert full is not None
    assert "anna" not in full.why
    assert judge_outage(ObjectMissing("there is no such document")) is None
    assert judge_outage(StorageUnavailable("it kept 1 of 2 bytes")) is not None

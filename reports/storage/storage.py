"""Where reports are kept: a private place that only this service reads. Which one, the settings say (`STORAGES`).

Keys are `user_id/assessment_id/<random>.<extension>`; no two uploads share one, so nothing is ever overwritten.
"""

from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from bridge.breaker import Verdict
from bridge.errors import Away, PermanentError
from bridge.queues import registry
from reports.document.made import Document
from reports.errors import ReportError
from reports.models import Leftover, Report
from reports.queue import QUEUE

ALIAS = "reports"
# As the breaker calls it.
STORAGE = "storage"

# An attempt has ended when its lease is over; the rest is for clocks that disagree.
UPLOAD_MARGIN = timedelta(minutes=10)
# Somebody else held that object, or it lost the race for it.
_ABOUT_ONE_OBJECT = (409, 423)


class StorageError(ReportError):
    """Base of what goes wrong with the storage."""

    code = "storage_error"


class StorageUnavailable(StorageError):
    """The storage cannot be reached, is overloaded, lost what it was given or refuses our key: worth a repeat."""

    code = "storage_unavailable"

    @property
    def trouble(self) -> Away:
        """What any other document would meet as well, by the answer."""
        match self.values.get("status"):
            case 401 | 403:
                return Away.REFUSED
            case 429:
                return Away.QUOTA
            case None:
                return Away.AWAY
            case _:
                return Away.SERVER_ERROR


class StorageRefused(StorageError, PermanentError):
    """The storage wants none of it: no such bucket, a file that is too large. Repeating cannot help."""

    code = "storage_refused"


class ObjectMissing(StorageError, FileNotFoundError):
    """There is no object with this key."""

    code = "object_missing"


class LocalStorage(FileSystemStorage):
    """A folder that only its owner can read. It has no addresses: files leave through the API alone."""

    def __init__(self, location: str) -> None:
        super().__init__(location=location, file_permissions_mode=0o600, directory_permissions_mode=0o700)

    def url(self, name: str | None) -> str:
        raise NotImplementedError("reports have no public address")


def judge_outage(error: Exception) -> Verdict | None:
    """What is wrong with the storage; `None` for what is about one document."""
    if isinstance(error, StorageUnavailable):
        return None if error.values.get("status") in _ABOUT_ONE_OBJECT else Verdict(error.trouble, str(error))
    # A full disk, a folder that is not ours: the only ones that `LocalStorage` leaves as they are.
    if isinstance(error, OSError) and not isinstance(error, StorageError):
        return Verdict(Away.SERVER_ERROR, f"{type(error).__name__}: {error.strerror or 'the folder cannot be used'}")
    return None


def report_storage() -> Storage:
    return storages[ALIAS]


def upload_document(report: Report, document: Document) -> str:
    """Store the document under a new key and return that; call it outside a transaction.

    Until the outcome of the attempt adopts the object it counts as a leftover. Raises `StorageError`, also when the
    storage holds something else than it was given.
    """
    key = f"{report.user_id}/{report.assessment_id}/{uuid4().hex}.{document.extension}"
    lease = timedelta(seconds=registry.get(QUEUE).run_lease)
    Leftover.objects.create(key=key, due_at=timezone.now() + lease + UPLOAD_MARGIN)
    storage = report_storage()
    storage.save(key, ContentFile(document.content))
    size = storage.size(key)
    if size != len(document.content):
        raise StorageUnavailable(f"the storage kept {size} of {len(document.content)} bytes")
    return key


def read_document(report: Report) -> bytes:
    """The report's document exactly as it was stored. Raises `StorageError`."""
    try:
        with report_storage().open(report.storage_key) as file:
            content: bytes = file.read()
    except FileNotFoundError as error:
        raise ObjectMissing(f"the document of report {report.pk} is not in the storage") from error
    if sha256(content).hexdigest() != report.sha256:
        raise StorageUnavailable(f"the storage gave back another document than report {report.pk} was stored with")
    return content


def delete_object(key: str) -> None:
    """Remove an object; without effect when there is none. Raises `StorageError`."""
    report_storage().delete(key)

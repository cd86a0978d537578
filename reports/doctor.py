"""Whether reports can be kept: the bucket is there, private and ours, or the folder can be written."""

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, Probe, error
from reports.storage.storage import ALIAS, LocalStorage, StorageError, report_storage
from reports.storage.supabase import SupabaseStorage

SECONDS = 3.0
SERVICE_ROLE = "service_role"


def look_at_storage() -> Iterator[Finding]:
    storage = report_storage()
    if isinstance(storage, LocalStorage):
        yield from _look_at_folder(Path(storage.location))
    # A key of another role is told as such, and every answer to it follows from that.
    elif isinstance(storage, SupabaseStorage) and role_of(settings.SUPABASE_SERVICE_ROLE_KEY) == SERVICE_ROLE:
        yield from _look_at_bucket()


def look_at_storing(seconds: float | None) -> Iterator[Finding]:
    """Whether a report could be stored now: the breaker's probe. `None`: as many seconds as any call may take."""
    storage = report_storage()
    if isinstance(storage, LocalStorage):
        yield from _look_at_folder(Path(storage.location))
        return
    try:
        _is_public(seconds)
    except (StorageError, OSError) as trouble:
        yield _explain(trouble, settings.REPORTS_BUCKET)


def _is_public(seconds: float | None) -> bool:
    """Ask for the bucket, over a connection of its own."""
    bounds = {} if seconds is None else {"connect_timeout": seconds, "timeout": seconds}
    storage = SupabaseStorage(**{**settings.STORAGES[ALIAS]["OPTIONS"], **bounds})
    try:
        return storage.is_public()
    finally:
        storage.close()


def role_of(key: str) -> str:
    """The role that a key of Supabase says it is for; nobody but Supabase can tell whether that is true."""
    if key.startswith("sb_publishable_"):
        return "publishable"
    try:
        payload = key.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("role") or SERVICE_ROLE)
    except (IndexError, ValueError, AttributeError):
        # A new key (`sb_secret_…`), or one that Supabase will refuse.
        return SERVICE_ROLE


def _look_at_bucket() -> Iterator[Finding]:
    bucket = settings.REPORTS_BUCKET
    try:
        public = _is_public(SECONDS)
    except (StorageError, OSError) as trouble:
        yield _explain(trouble, bucket)
    else:
        if public:
            cause = _("The bucket %(bucket)s is public: whoever knows an address reads a child's report.")
            yield error("reports.bucket_public", cause, _("Make it private in Supabase, under Storage."), bucket=bucket)


def _explain(trouble: StorageError | OSError, bucket: str) -> Finding:
    match trouble.values.get("status") if isinstance(trouble, StorageError) else None:
        case 404:
            cause = _("There is no bucket %(bucket)s in Supabase Storage.")
            remedy = _(
                "Make a private one of that name in Supabase, under Storage, or let REPORTS_BUCKET name another."
            )
            return error("reports.no_bucket", cause, remedy, bucket=bucket)
        case 400 | 401 | 403:
            cause = _("Supabase Storage refuses our key: %(said)s")
            remedy = _(
                "Check SUPABASE_SERVICE_ROLE_KEY: the service_role or secret key of the project of SUPABASE_URL."
            )
            return error("supabase.key_refused", cause, remedy, said=trouble)
        case _:
            cause = _("Supabase Storage cannot be used: %(said)s")
            remedy = _("Check SUPABASE_URL, and the way to it (DNS, firewall, proxy).")
            return error("reports.storage_unreachable", cause, remedy, said=trouble)


def _look_at_folder(folder: Path) -> Iterator[Finding]:
    """The nearest that exists counts: the first report makes the rest."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        cause = _("The folder of the reports, %(folder)s, cannot be written.")
        remedy = _("Give it to the user of this process, or let REPORTS_DIR name another.")
        yield error("reports.folder", cause, remedy, folder=folder)


PROBES = (Probe("storage of reports", look_at_storage),)

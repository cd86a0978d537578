"""This machine: files that strangers may read or nobody can write, disks, and what a page needs beside code."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, error, warning

MEBIBYTE = 1024 * 1024
LEAST_FREE, SCARCE = 100 * MEBIBYTE, 500 * MEBIBYTE
# One of Django's admin, and one of ours: a collection from before an upgrade lacks the second.
_WANTED_STATIC = ("admin/css/base.css", "staff/staff.css")


def look_at_files() -> Iterator[Finding]:
    yield from _look_at_env(settings.BASE_DIR / ".env")
    if not settings.SANDBOX:
        yield from _look_at_static(Path(settings.STATIC_ROOT))
    try:
        ZoneInfo("Europe/Moscow")
    except ZoneInfoNotFoundError:
        cause = _("This machine has no data of time zones, so no time can be shown.")
        yield error("machine.time_zones", cause, _("Install the package tzdata."))


def look_at_folders() -> Iterator[Finding]:
    """The log and beat's schedule: their folders, and files in them that somebody else has made."""
    for folder, variable in _folders().items():
        for path in (folder, *(folder.glob("*.log") if variable == "LOG_DIR" else ())):
            if why := _why_not_writable(path):
                cause = _("%(path)s cannot be written by the user of this process: %(why)s")
                remedy = _("Give it to that user, or let %(variable)s name another place.")
                yield error("machine.not_writable", cause, remedy, path=path, why=why, variable=variable)


def look_at_disks() -> Iterator[Finding]:
    seen = set()
    for folder in (*_folders(), *_report_folders()):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        if (device := existing.stat().st_dev) in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(existing)
        free = usage.free
        # What is no disk has no size.
        if usage.total and free < SCARCE:
            cause = _("The disk of %(folder)s has %(free)s MB left.")
            remedy = _("Make room there: logs, images and backups that are not needed.")
            level = error if free < LEAST_FREE else warning
            yield level("machine.disk_full", cause, remedy, folder=existing, free=free // MEBIBYTE)


def _why_not_writable(path: Path) -> str:
    """Tried and not asked: a disk may be mounted read-only. Leaves nothing behind."""
    try:
        with path.open("ab") if path.is_file() else TemporaryFile(dir=path):
            return ""
    except OSError as trouble:
        return trouble.strerror or type(trouble).__name__


def _folders() -> dict[Path, str]:
    log = Path(settings.LOGGING["handlers"]["out"]["filename"]).parent
    schedule = Path(settings.CELERY_BEAT_SCHEDULE_FILENAME).parent
    return {schedule: "CELERY_BEAT_SCHEDULE_FILE", log: "LOG_DIR"}


def _report_folders() -> Iterator[Path]:
    if location := settings.STORAGES["reports"].get("OPTIONS", {}).get("location"):
        yield Path(location)


def _look_at_env(file: Path) -> Iterator[Finding]:
    try:
        about = file.stat()
    except OSError:
        return
    # Whoever reads it as a stranger, as the user of an image may, would be locked out by the remedy.
    is_ours = about.st_uid == os.geteuid() or about.st_gid in (os.getegid(), *os.getgroups())
    if about.st_mode & stat.S_IROTH and is_ours:
        cause = _("Every user of this machine can read %(file)s, with all passwords and keys in it.")
        yield warning("machine.env_readable", cause, _("Run: chmod o-rwx %(file)s"), file=file)


def _look_at_static(root: Path) -> Iterator[Finding]:
    try:
        paths = json.loads((root / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
        missing = [name for name in _WANTED_STATIC if name not in paths]
    except (OSError, ValueError, KeyError):
        missing = list(_WANTED_STATIC)
    if missing:
        cause = _("The static files are not collected, or are those of an older version: the admin does not open.")
        yield error("machine.static", cause, _("Run: manage.py collectstatic --noinput"))

"""Looks at what became of the report messages: the archive, our rows, the storage, and the link in the mail."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import requests
from django.db import connection

from sandbox.demo.archive import Archive, Archived
from sandbox.demo.reports.expectation import Asked
from sandbox.mailbox import MailStore

_ROW = """
SELECT id::text, status, reason, coalesce(size, 0), coalesce(pages, 0), sha256, storage_key, is_confirmed
FROM reports_report WHERE assessment_id = %s AND user_id = %s AND kind = 'pdf'
"""
_KEYS = "SELECT storage_key FROM reports_report WHERE storage_key <> ''"


@dataclass(frozen=True, slots=True)
class Row:
    """Our row of a report. `size` is in bytes; texts are empty and numbers 0 without a document."""

    id: str
    status: str
    reason: str
    size: int
    pages: int
    sha256: str
    storage_key: str
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class ObservedReport:
    """What can be seen of one. `stored` and `opened` are SHA-256 sums: of the object in the storage, and of the PDF
    that the link in the mail opens; empty where there is none.
    """

    archived: Archived | None
    row: Row | None
    stored: str = ""
    opened: str = ""


class ReportObserver:
    """`storage` is where the stand-in of Supabase Storage keeps its bucket; opened PDFs are kept in `folder`."""

    def __init__(self, archive: Archive, mailbox: MailStore, *, storage: Path, folder: Path) -> None:
        self._archive = archive
        self._mailbox = mailbox
        self._storage = storage
        self._folder = folder

    def observe(self, asked: Sequence[Asked]) -> dict[int, ObservedReport]:
        archived = self._archive.outcomes(each.msg_id for each in asked)
        return {each.msg_id: self._look(each, archived.get(each.msg_id)) for each in asked}

    def strangers(self, asked: Sequence[Asked]) -> list[str]:
        """What nobody asked for: messages since the start, and objects in the storage that no row points to."""
        known = {each.msg_id for each in asked}
        with connection.cursor() as cursor:
            cursor.execute(_KEYS)
            keys = {key for (key,) in cursor.fetchall()}
        objects = {path.relative_to(self._storage).as_posix() for path in self._storage.rglob("*.pdf")}
        later = {*self._archive.waiting(), *self._archive.ended()}
        return [
            *(f"the report message {msg_id}" for msg_id in sorted(later - known)),
            *(f"the object {key} in the storage" for key in sorted(objects - keys)),
        ]

    def _look(self, asked: Asked, archived: Archived | None) -> ObservedReport:
        with connection.cursor() as cursor:
            cursor.execute(_ROW, [asked.expected.assessment_id, asked.expected.user_id])
            found = cursor.fetchone()
        row = Row(*found) if found else None
        if row is None or not row.storage_key:
            return ObservedReport(archived, row)
        file = self._storage / row.storage_key
        stored = sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        return ObservedReport(archived, row, stored, self._open(asked, row))

    def _open(self, asked: Asked, row: Row) -> str:
        """Follow the link in the mail and keep the PDF that it opens."""
        link = re.compile(rf"http\S+/api/reports/{row.id}/file\?token=\S+")
        family = asked.expected.family
        files = [attempt.file for attempt in self._mailbox.attempts(family.email) if attempt.file]
        found = (link.search(mail.text) for mail in map(self._mailbox.find, files) if mail)
        address = next((match[0] for match in found if match), None)
        if address is None:
            return ""
        answer = requests.get(address, timeout=(5, 20))
        if answer.status_code != requests.codes.ok or not answer.content.startswith(b"%PDF-"):
            return ""
        self._folder.mkdir(exist_ok=True)
        (self._folder / f"{family.mailbox}.pdf").write_bytes(answer.content)
        return sha256(answer.content).hexdigest()

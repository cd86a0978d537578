"""The mails on disk (`*.eml`, as they came in) and the journal of all attempts (`attempts.jsonl`, one a line)."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, cast

_FILE = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9]{6}\.eml")


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    # Answered 451: come again.
    REFUSED = "refused"
    # Answered 550: never come again.
    REJECTED = "rejected"
    # We broke the connection.
    DROPPED = "dropped"
    # The sender went away before the answer.
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one mail to one recipient. `file` is the kept mail; a rejected address has no Message-ID."""

    at: datetime
    recipient: str
    message_id: str
    subject: str
    verdict: Verdict
    reply: str
    file: str = ""

    @classmethod
    def from_json(cls, line: str) -> Self:
        raw: dict[str, Any] = json.loads(line)
        return cls(**(raw | {"at": datetime.fromisoformat(raw["at"]), "verdict": Verdict(raw["verdict"])}))

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"at": self.at.isoformat()}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class MailFile:
    """What came along with a mail. The name is one that fits into a header and an address."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A kept mail, decoded."""

    file: str
    received_at: datetime
    message: EmailMessage

    @property
    def recipient(self) -> str:
        return str(self.message["To"] or "")

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"] or "").strip()

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def files(self) -> list[MailFile]:
        return [
            MailFile(
                re.sub(r"[^\w.-]", "_", part.get_filename() or "file", flags=re.ASCII),
                part.get_content_type(),
                cast(bytes, part.get_payload(decode=True)),
            )
            for part in self.message.iter_attachments()
            if not part.is_multipart()
        ]

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def parse_mail(content: bytes) -> EmailMessage:
    parsed: EmailMessage = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    return parsed


class MailStore:
    """Reads and writes one folder. Safe for several threads of one process, and for readers in others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._journal = folder / "attempts.jsonl"
        self._write = threading.Lock()
        # The counts go on where the last server stopped.
        self._tries = Counter(_key(one.recipient, one.message_id, one.subject) for one in self.attempts())
        self._kept = 0

    def begin(self, recipient: str, message_id: str, subject: str) -> int:
        """Count an attempt and return its number, from 1."""
        with self._write:
            key = _key(recipient, message_id, subject)
            self._tries[key] += 1
            return self._tries[key]

    def keep(self, content: bytes) -> str:
        """Keep a mail and return the name of its file."""
        with self._write:
            self._kept += 1
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{self._kept:06}.eml"
        draft = self.folder / f"{name}.new"
        draft.write_bytes(content)
        draft.replace(self.folder / name)
        return name

    def note(self, attempt: Attempt) -> None:
        with self._write, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(attempt.to_json() + "\n")

    def attempts(self, recipient: str | None = None) -> list[Attempt]:
        """Return the attempts, oldest first, of one recipient or of all."""
        try:
            text = self._journal.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        # Whoever writes may be in the middle of a line.
        lines = text[: text.rfind("\n") + 1].splitlines()
        found = [Attempt.from_json(line) for line in lines]
        return [attempt for attempt in found if recipient in (None, attempt.recipient)]

    def messages(self) -> list[Mail]:
        """Return the kept mails, newest first."""
        return [mail for mail in map(self.find, self.files()) if mail]

    def files(self) -> Iterator[str]:
        names = (path.name for path in self.folder.glob("*.eml"))
        return iter(sorted((name for name in names if _FILE.fullmatch(name)), reverse=True))

    def find(self, file: str) -> Mail | None:
        if not _FILE.fullmatch(file):
            return None
        try:
            content = (self.folder / file).read_bytes()
        except FileNotFoundError:
            return None
        received = datetime.strptime(file.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return Mail(file, received, parse_mail(content))


def _key(recipient: str, message_id: str, subject: str) -> tuple[str, str]:
    return recipient, message_id or subject

"""The mailbox as a process of its own."""

import re
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.packages import CHECKOUT
from sandbox.services.process import Service

_READY = re.compile(r"SMTP on 127\.0\.0\.1:(\d+), page on (http://127\.0\.0\.1:\d+/)")


class MailService:
    """Runs `python -m sandbox.mailbox`; keeps the mails in `folder`/mail. Started again, it listens where it did."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "mail"
        self.smtp_port = 0
        self.page_url = ""
        self._service = Service("mailbox", folder)

    def start(self) -> None:
        self._service.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox.mailbox", "--directory", str(self.directory)]
        if self.smtp_port:
            # Again, after a stop: where it was before, as whoever sends was told once.
            page = str(urlsplit(self.page_url).port)
            command += ["--smtp-port", str(self.smtp_port), "--http-port", page]
        # Ours is found by the folder it starts in, wherever the command was typed.
        self._service.start(command, self._announced, cwd=CHECKOUT)

    @property
    def pid(self) -> int:
        return self._service.pid

    def stop(self, how: signal.Signals | None = None) -> None:
        self._service.stop(how)

    def _announced(self) -> bool:
        found = _READY.search(self._service.log.read_text(encoding="utf-8", errors="replace"))
        if found:
            self.smtp_port, self.page_url = int(found[1]), found[2]
        return found is not None

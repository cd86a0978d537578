"""The stand-in of Supabase Storage as a process of its own."""

import re
import sys
from pathlib import Path

from sandbox.packages import CHECKOUT
from sandbox.services.process import Service
from sandbox.storage.server import SERVICE_KEY

_READY = re.compile(r"storage on (http://127\.0\.0\.1:\d+)")


class StorageService:
    """Runs `python -m sandbox.storage`; keeps the objects in `folder`/storage. `url` is a `SUPABASE_URL`."""

    service_key = SERVICE_KEY

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "storage"
        self.url = ""
        self._service = Service("storage", folder)

    def start(self) -> None:
        self._service.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox.storage", "--directory", str(self.directory)]
        # Ours is found by the folder it starts in, wherever the command was typed.
        self._service.start(command, self._announced, cwd=CHECKOUT)

    def stop(self) -> None:
        self._service.stop()

    def _announced(self) -> bool:
        found = _READY.search(self._service.log.read_text(encoding="utf-8", errors="replace"))
        if found:
            self.url = found[1]
        return found is not None

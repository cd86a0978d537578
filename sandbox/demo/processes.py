"""The processes of production: web server, workers, beat and bridge, each with a log of its own."""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from balansity.processes import BEAT, BRIDGE, WEB, WORKER, for_python
from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT
from sandbox.services.process import Service

CONCURRENCY = 4


class Process:
    """One of them. It counts as started once its log says `ready`."""

    def __init__(self, name: str, command: tuple[str, ...], ready: bytes, folder: Path) -> None:
        self.name = name
        self._command = [sys.executable, *command]
        self._ready = ready
        self._service = Service(name, folder)
        self._log_start = 0

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it, also again after a kill. Raises `SandboxError` with the end of its log when it does not come up."""
        self._log_start = self._service.log.stat().st_size if self._service.log.exists() else 0
        self._service.start(self._command, self._is_ready, env=environment, cwd=CHECKOUT)

    def stop(self) -> None:
        self._service.stop()

    def kill(self) -> None:
        """End it with all its children by SIGKILL, as the kernel does when memory runs out."""
        with suppress(ProcessLookupError):
            # It leads its session, so the group is the whole tree.
            os.killpg(self._service.pid, signal.SIGKILL)
        self._service.stop()

    def insist_on_running(self) -> None:
        """Raise `SandboxError` with the end of the log when it ended by itself."""
        if not self._service.running():
            raise SandboxError(f"{self.name} ended by itself; its log ends with:\n{self.log_end()}")

    def log_end(self) -> str:
        lines = self._service.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-12:])

    def _is_ready(self) -> bool:
        with self._service.log.open("rb") as log:
            log.seek(self._log_start)
            return self._ready in log.read()


def worker(folder: Path) -> Process:
    """The prefork worker for everything but reports."""
    return _worker("worker", folder, CONCURRENCY, "-X", "reports")


def report_worker(folder: Path) -> Process:
    """A worker of one child for the reports: making a PDF takes all of a processor, and no mail shall wait for it."""
    return _worker("report-worker", folder, 1, "-Q", "reports")


def beat(folder: Path) -> Process:
    return Process("beat", for_python(BEAT), b"beat: Starting", folder)


def bridge(folder: Path) -> Process:
    return Process("bridge", for_python(BRIDGE), b"draining", folder)


def web(folder: Path, port: int) -> Process:
    """Gunicorn as shipped, but for this machine only."""
    return Process("web", for_python(WEB, "--bind", f"127.0.0.1:{port}"), b"Booting worker", folder)


def _worker(name: str, folder: Path, concurrency: int, *lines: str) -> Process:
    command = for_python(WORKER, "-n", f"demo-{name}@%h", "-c", str(concurrency), *lines)
    return Process(name, command, b" ready.", folder)

"""The processes of production under a supervisor, which starts again what has ended, as systemd or Docker does."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from balansity.processes import BEAT, BRIDGE, WEB, WORKER, for_python
from sandbox.packages import CHECKOUT
from sandbox.services.process import Service

RESTART_AFTER_SECONDS = 1.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Exit:
    """A process that ended. `expected`: a fault has ended it, or asked it to end."""

    name: str
    at: datetime
    code: int
    expected: bool
    seconds: float = 0.0


class Supervised:
    """One process, which lives until it is held down."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = [sys.executable, *command]
        self._environment = environment
        self._service = Service(name, folder)
        self._ended_at = 0.0
        self._expected = False
        self._asked_at = 0.0
        self._retired = False

    @property
    def pid(self) -> int:
        return self._service.pid

    @property
    def log(self) -> Path:
        return self._service.log

    def start(self) -> None:
        self._expected, self._ended_at, self._asked_at = False, 0.0, 0.0
        # It is ready when it says so; until then whoever needs it waits, as with a supervisor.
        self._service.start(self._command, lambda: True, env=self._environment, cwd=CHECKOUT)

    def look(self) -> Exit | None:
        """Start it again a while after its end; returns that end once."""
        code = self._service.exit_code
        if code is None:
            return None
        now = time.monotonic()
        if not self._ended_at:
            self._ended_at = now
            took = now - self._asked_at if self._asked_at else 0.0
            return Exit(self.name, datetime.now(UTC), code, self._expected, took)
        if now - self._ended_at >= RESTART_AFTER_SECONDS and not self._retired:
            self.start()
        return None

    def tree(self) -> list[psutil.Process]:
        """The process and its children, the children first."""
        try:
            parent = psutil.Process(self.pid)
            return [*parent.children(recursive=True), parent]
        except psutil.NoSuchProcess:
            return []

    def children(self) -> list[psutil.Process]:
        return self.tree()[:-1]

    def kill(self) -> frozenset[int]:
        """End it with all its children as the kernel does when memory runs out; returns who they were."""
        pids = frozenset(process.pid for process in self.tree())
        self._expected = True
        with suppress(ProcessLookupError):
            # It leads its session, so the group is the whole tree.
            os.killpg(self.pid, signal.SIGKILL)
        return pids

    def kill_parent(self) -> None:
        """End it alone, and not its children."""
        self._expected = True
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Ask it to end in good order, as a deployment does."""
        self._expected, self._asked_at = True, time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def retire(self) -> None:
        """Ask it to end, and do not start it again."""
        self._retired = True
        self.end()

    def stop(self) -> None:
        """End it for good."""
        group = self.pid
        self._service.stop()
        # Orphans of a parent that was killed alone.
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


class Fleet:
    """All processes of ours: web, two bridges, two workers, beat."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, port: int) -> None:
        def one(name: str, line: tuple[str, ...], *more: str) -> Supervised:
            return Supervised(name, for_python(line, *more), folder, environment)

        self.web = one("web", WEB, "--bind", f"127.0.0.1:{port}")
        self.bridges = [one(f"bridge-{number}", BRIDGE) for number in (1, 2)]
        # Two on one host need two names; else it is the line of production.
        self.workers = [one(f"worker-{number}", WORKER, "-n", f"chaos-{number}@%h") for number in (1, 2)]
        self.beat = one("beat", BEAT)
        self.exits: list[Exit] = []
        self._over = threading.Event()

    @property
    def all(self) -> list[Supervised]:
        return [self.web, *self.bridges, *self.workers, self.beat]

    def named(self, name: str) -> Supervised:
        return next(one for one in self.all if one.name == name)

    @contextmanager
    def running(self) -> Iterator[None]:
        for one in self.all:
            one.start()
        supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        supervisor.start()
        try:
            yield
        finally:
            self._over.set()
            supervisor.join()
            for one in self.all:
                # What is stopped would not hear of its end.
                wake(one.tree())
            for one in self.all:
                one.end()
            for one in self.all:
                one.stop()

    def _supervise(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for one in self.all:
                ended = one.look()
                if ended is not None:
                    self.exits.append(ended)


def wake(processes: Sequence[psutil.Process]) -> None:
    """Let stopped processes go on, in this order."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def stop(processes: Sequence[psutil.Process]) -> None:
    """Stop processes where they are, the last of them first: no parent finds its children asleep."""
    for process in reversed(processes):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)

"""Bridges and workers as production runs them: real processes, each in a session of its own, all ended by `close`."""

import itertools
import os
import signal
import uuid
from pathlib import Path

from balansity.processes import BEAT, BRIDGE, WEB, WORKER, for_python
from sandbox.packages import CHECKOUT
from tests.acceptance.starter import start
from tests.acceptance.waiting import wait_until

TAIL_LINES = 60


class Child:
    """A started process. `text` is all that it wrote to its console so far."""

    def __init__(self, name: str, log: Path, command: list[str], environment: dict[str, str]) -> None:
        self.name, self._log = name, log
        log.touch()
        self._process = start(command, environment, folder=CHECKOUT, log=log)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def exit_code(self) -> int | None:
        """`None` while it runs, negative when a signal ended it."""
        return self._process.exitcode

    def await_text(self, text: str, *, seconds: float = 60) -> None:
        """Wait until the process has written `text`; fails at once when it ends before."""

        def written() -> bool:
            # In this order: what it wrote last must not be missed because it ended meanwhile.
            ended = self.exit_code is not None
            found = text in self.text
            assert found or not ended, (
                f"{self.name} ended with {self.exit_code} and never wrote {text!r}:\n{self.tail()}"
            )
            return found

        wait_until(written, f"{self.name} writes {text!r}", seconds=seconds)

    def await_end(self, *, seconds: float = 60) -> int:
        """Wait until it ends by itself; returns its exit code."""
        wait_until(lambda: self.exit_code is not None, f"{self.name} ends", seconds=seconds)
        assert self.exit_code is not None
        return self.exit_code

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.join(10)

    def terminate(self, *, seconds: float = 60) -> int:
        """Send SIGTERM as a supervisor does, to the main process only, and return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        self._process.join(seconds)
        code = self.exit_code
        assert code is not None, f"{self.name} still runs {seconds:g} s after SIGTERM:\n{self.tail()}"
        return code

    def tail(self) -> str:
        return "\n".join(self.text.splitlines()[-TAIL_LINES:])


class Fleet:
    """Starts bridges and workers with the environment `variables`; keyword arguments change it for one process."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.variables = variables
        self._folder = folder
        self._children: list[Child] = []
        self._numbers = itertools.count(1)

    def bridge(self, *arguments: str, **variables: str) -> Child:
        return self._start("bridge", [*for_python(BRIDGE, *arguments)], variables)

    def worker(self, *arguments: str, concurrency: int = 2, **variables: str) -> Child:
        """Start a worker; it announces that it takes tasks with `ready.`"""
        # Two workers of one name would take each other's orders from Celery's remote control.
        name = f"{uuid.uuid4().hex[:12]}@%h"
        command = [*for_python(WORKER, "-n", name, *arguments)]
        return self._start("worker", command, {"WORKER_CONCURRENCY": str(concurrency), **variables})

    def web(self, port: int, **variables: str) -> Child:
        """Start gunicorn on `port`. It accepts connections once it has written `Listening at`."""
        return self._start("web", [*for_python(WEB)], {"WEB_CONCURRENCY": "1", **variables, "API_PORT": str(port)})

    def command(self, *arguments: str, **variables: str) -> Child:
        """Start a command of `manage.py`."""
        return self._start(arguments[0], ["manage.py", *arguments], variables)

    def script(self, path: str, *arguments: str) -> Child:
        """Start a script of the checkout."""
        return self._start(Path(path).stem, [path, *arguments], {})

    def beat(self, schedule: Path) -> Child:
        """Start beat on this schedule file; it announces itself with `beat: Starting`."""
        # Several tests run theirs in one folder.
        command = [*for_python(BEAT, "--pidfile=")]
        return self._start("beat", command, {"CELERY_BEAT_SCHEDULE_FILE": str(schedule)})

    def environment(self, **variables: str) -> dict[str, str]:
        return {**os.environ, **self.variables, **variables}

    def close(self) -> None:
        """Kill whatever still runs. Prints the end of each log, which pytest shows for a test that failed."""
        while self._children:
            child = self._children.pop()
            child.kill()
            print(f"--- {child.name}, ended with {child.exit_code}\n{child.tail()}")

    def _start(self, kind: str, command: list[str], variables: dict[str, str]) -> Child:
        name = f"{kind}-{next(self._numbers)}"
        log, environment = self._folder / f"{name}.log", self.environment(**variables)
        child = Child(name, log, command, environment)
        self._children.append(child)
        return child

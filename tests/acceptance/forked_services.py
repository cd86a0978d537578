"""What a command of ours starts, forked by the server that the tests have, where only the start would be another."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from unittest import mock

from tests.acceptance.starter import start


class _Forked:
    """As much of `Popen` as `sandbox.services.process` asks of a child of its own."""

    def __init__(self, command: Sequence[str], log: IO[bytes], env: Mapping[str, str], cwd: Path) -> None:
        self._command = command
        self._process = start([*command], dict(env), folder=cwd, log=Path(log.name))
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._command, timeout)
        return code


@contextmanager
def forked() -> Iterator[None]:
    """Let the services in Python that this process starts be forks."""
    popen = subprocess.Popen

    def begin(command: Sequence[str], **how: Any) -> Any:
        if command[0] != sys.executable or not how.get("start_new_session"):
            return popen(command, **how)
        return _Forked(command[1:], how["stdout"], how["env"] or os.environ, how["cwd"])

    with mock.patch.object(subprocess, "Popen", begin):
        yield

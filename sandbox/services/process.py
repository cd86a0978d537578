"""Child processes that outlive Ctrl-C until they are told to stop, and that are found again after a killed parent."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError

START_SECONDS = 30.0
STOP_SECONDS = 30.0
_PROC = Path("/proc")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now. Somebody may take it the next moment: try again then."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def identity(pid: int) -> str | None:
    """Return a text that no other process of this machine ever shares with `pid`, or `None` when it does not run.

    A number is given out again after a while, and at once after a reboot: the time of the start tells the two apart.
    """
    if _PROC.is_dir():
        try:
            # The second field is the program's name in brackets, which may hold spaces and brackets itself.
            fields = (
                (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
            boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
    ).stdout.strip()
    return None if not listed or listed.startswith("Z") else listed.split(maxsplit=1)[1]


class Service:
    """One child in a session of its own, so that the terminal's Ctrl-C does not reach it.

    `folder` keeps its pid file and its log, both named after it. `stop_signal` is the one that ends it in good order,
    sent to its own children as well when it leads a `group` that it does not look after.
    """

    def __init__(
        self, name: str, folder: Path, stop_signal: signal.Signals = signal.SIGTERM, *, group: bool = False
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"
        self._stop_signal = stop_signal
        self._group = group
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise SandboxError(f"{self.name} was not started")
        return self._process.pid

    def start(
        self,
        command: Sequence[str],
        ready: Callable[[], bool],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start the child and wait until `ready()`.

        Raises `SandboxError` with the end of the log when the child dies first or takes too long.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        self._remember()
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SandboxError(f"{self.name} did not start; {self.log} ends with:\n{self._log_end()}")
            time.sleep(0.02)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative when a signal ended it; `None` while it runs, and of one that was stopped."""
        return None if self._process is None else self._process.poll()

    def stop(self, how: signal.Signals | None = None) -> None:
        """End the child, by force after a while. Without effect when it does not run."""
        if self._process is not None:
            if self._process.poll() is None:
                _send(self.pid, how or self._stop_signal, group=self._group)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _send(self.pid, signal.SIGKILL, group=True)
                self._process.wait(STOP_SECONDS)
            self._process = None
        self._pid_file.unlink(missing_ok=True)

    def _remember(self) -> None:
        noted = {"pid": self.pid, "identity": identity(self.pid), "signal": self._stop_signal, "group": self._group}
        draft = self._pid_file.with_suffix(".new")
        draft.write_text(json.dumps(noted), encoding="utf-8")
        draft.replace(self._pid_file)

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])


def stop_leftovers(folder: Path, last: Sequence[str] = ()) -> list[str]:
    """Stop what a parent that was killed left running in `folder`; returns the names.

    Those named in `last` go after the others, in that order. Only for whoever holds the folder.
    """
    names = [path.stem for path in folder.glob("*.pid")]
    names.sort(key=lambda name: last.index(name) if name in last else -1)
    return [name for name in names if _stop_leftover(folder / f"{name}.pid")]


def _stop_leftover(pid_file: Path) -> bool:
    noted = json.loads(pid_file.read_text(encoding="utf-8"))
    pid, known = int(noted["pid"]), noted["identity"]
    found = known is not None and identity(pid) == known
    if found:
        _end(pid, known, signal.Signals(noted["signal"]), group=noted["group"])
    pid_file.unlink()
    return found


def _end(pid: int, known: str, how: signal.Signals, *, group: bool) -> None:
    # Not our child, so there is nothing to wait for but its disappearance.
    for attempt, whole in ((how, group), (signal.SIGKILL, True)):
        _send(pid, attempt, group=whole)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if identity(pid) != known:
                return
            time.sleep(0.01)
    raise SandboxError(f"process {pid} does not end; stop it by hand: kill -9 {pid}")


def _send(pid: int, how: signal.Signals, *, group: bool) -> None:
    try:
        # Each child leads a session, so its number is that of its group, too.
        os.killpg(pid, how) if group else os.kill(pid, how)
    except ProcessLookupError:
        # It ended by itself the moment before.
        return

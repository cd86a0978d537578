"""The folder of one sandbox: `.sandbox/<name>` in the checkout, and who owns it."""

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT

ROOT = CHECKOUT / ".sandbox"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,40}")


class State:
    """A sandbox's folder. One process at a time holds it; the others may read the environment that it wrote there."""

    def __init__(self, name: str, root: Path = ROOT) -> None:
        if not _NAME.fullmatch(name):
            raise SandboxError(f"{name!r} cannot name a sandbox: lower-case letters, digits, '-', '_' and '.'")
        self.name = name
        self.root = root
        self.folder = root / name
        # Beside the folder and not in it: whoever holds the lock may remove the folder.
        self._lock_path = root / f"{name}.lock"
        self._lock: IO[str] | None = None

    @property
    def environment_file(self) -> Path:
        return self.folder / "environment.json"

    def hold(self) -> None:
        """Take the folder, or raise `SandboxError` that says who has it."""
        self.root.mkdir(parents=True, exist_ok=True)
        # Opened for appending: the holder's number is still there for whoever comes too late.
        lock = self._lock_path.open("a+", encoding="ascii")
        if not _locked(lock, seconds=0.5):
            lock.close()
            raise SandboxError(
                f"the sandbox {self.name!r} is already running (process {self.holder()}): "
                "use it (./dev sandbox --env) or stop it (./dev sandbox --stop)"
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        # Passwords and people's mails lie in it.
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def release(self) -> None:
        self.environment_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clear(self) -> None:
        """Delete what is in the folder. Only its holder may call this."""
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)

    def forget(self) -> None:
        """Delete the folder and let go of it, leaving no trace. Only its holder may call this."""
        shutil.rmtree(self.folder)
        self._lock_path.unlink(missing_ok=True)
        self.release()

    def is_held(self) -> bool:
        try:
            with self._lock_path.open(encoding="ascii") as lock:
                return not _locked(lock, seconds=0)
        except FileNotFoundError:
            return False

    def holder(self) -> int | None:
        """Return the process that holds the folder, or held it last."""
        try:
            return int(self._lock_path.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def write_environment(self, environment: Mapping[str, str]) -> None:
        draft = self.environment_file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(dict(environment), indent=1), encoding="utf-8")
        draft.replace(self.environment_file)

    def running_environment(self) -> dict[str, str] | None:
        """Return the environment of the sandbox that runs in this folder, `None` when none does."""
        if not self.is_held():
            return None
        try:
            loaded: dict[str, str] = json.loads(self.environment_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return loaded


def _locked(lock: IO[str], *, seconds: float) -> bool:
    # A moment of patience: somebody who only asks whether the folder is held takes the lock for an instant, too.
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def abandoned(root: Path = ROOT) -> list[State]:
    """Return the sandboxes that nobody holds: stopped in order, or their owner was killed."""
    if not root.is_dir():
        return []
    states = [State(path.name, root) for path in sorted(root.iterdir()) if path.is_dir()]
    return [state for state in states if not state.is_held()]

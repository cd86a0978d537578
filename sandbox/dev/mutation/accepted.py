"""The committed list of changes that no test notices, each with the reason why that is right."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sandbox.dev.mutation.change import Change
from sandbox.errors import SandboxError

LIST = Path("tests/mutation/survivors.toml")


@dataclass(frozen=True, slots=True)
class Key:
    """What an entry is found by: the text of the line and not its number, which changes with every line above."""

    file: str
    function: str
    line: str
    what: str

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(change.file, change.function, change.text, change.what)

    def __str__(self) -> str:
        return f"{self.file} {self.function}: {self.line} ({self.what})"


def load(path: Path) -> dict[Key, str]:
    """Return the accepted survivors and their reasons. Raises `SandboxError` for an entry that is incomplete."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SandboxError(f"{path} is no TOML: {error}") from error
    found = {}
    for entry in entries:
        if set(entry) != {"file", "function", "line", "what", "why"} or not all(
            str(entry[name]).strip() for name in entry
        ):
            raise SandboxError(f"{path}: an entry has file, function, line, what and why, and none is empty: {entry}")
        found[Key(entry["file"], entry["function"], entry["line"], entry["what"])] = entry["why"]
    return found


def unexplained(survivors: list[Change], accepted: dict[Key, str]) -> list[Change]:
    return [change for change in survivors if Key.of(change) not in accepted]


def stale(accepted: dict[Key, str], *, files: set[str], there: set[Key], noticed: set[Key]) -> list[str]:
    """Say which entries about `files` have no use any more: the change is not among those `there`, or is `noticed`."""
    about = [key for key in accepted if key.file in files]
    gone = [f"there is no such line any more: {key}" for key in about if key not in there]
    return gone + [f"tests notice it by now: {key}" for key in about if key in noticed]

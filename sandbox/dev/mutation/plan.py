"""What the processes of one `./dev mutate` hand to each other, as files of a folder that is theirs alone."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

# The variable that names the folder.
FOLDER = "BALANSITY_MUTATION_FOLDER"

# The "file" of the one attempt that changes nothing: its tests must pass in a fork as well.
CONTROL = ""

KILLED, SURVIVED, NOT_TRIED = "killed", "survived", "not tried"


@dataclass(frozen=True, slots=True)
class Run:
    """One test that passed: how long it took, and which lines of which files it ran."""

    seconds: float
    lines: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One change to be tried: in which file, the how-manieth, by which tests in which order, for how long at most.

    `rest` are those that run it as well, for when none of `tests` notices it, and `rest_seconds` is for them.
    """

    file: str
    number: int
    tests: list[str]
    seconds: float
    rest: list[str]
    rest_seconds: float

    @property
    def by_the_rest(self) -> Self:
        return replace(self, tests=self.rest, seconds=self.rest_seconds, rest=[])


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a change; `by` names the test that noticed it."""

    file: str
    number: int
    outcome: str
    by: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The files whose lines are noted, and the changes to be tried."""

    traced: list[str]
    attempts: list[Attempt]

    def save(self, folder: Path) -> None:
        (folder / "plan.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        loaded = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        return cls(loaded["traced"], [Attempt(**attempt) for attempt in loaded["attempts"]])


def runs(folder: Path) -> dict[str, Run]:
    """Return the tests that passed, by their names."""
    found: dict[str, Run] = {}
    for part in folder.glob("traced-*.json"):
        found |= {name: Run(*run) for name, run in json.loads(part.read_text(encoding="utf-8")).items()}
    return found


def note(folder: Path, worker: str, result: Result) -> None:
    with (folder / f"results-{worker}.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(result)) + "\n")


def results(folder: Path) -> Iterator[Result]:
    for part in sorted(folder.glob("results-*.jsonl")):
        for line in part.read_text(encoding="utf-8").splitlines():
            yield Result(**json.loads(line))


def forget_results(folder: Path) -> None:
    for part in folder.glob("results-*.jsonl"):
        part.unlink()

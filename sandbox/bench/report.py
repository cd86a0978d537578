"""A result as people read it, as the last line that programs read, and as what is kept of it: `--record`."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from sandbox.bench import recording


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `most` or `least` is its target; neither: it is there to compare with.

    `rounds` are the values that `value` is the median of, in the order they were measured; `Figure.of` makes both.
    """

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    rounds: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, name: str, rounds: Sequence[float], unit: str, *, least: float | None = None, most: float | None = None
    ) -> Self:
        """The median of `rounds`, which are kept beside it."""
        return cls(name, median(rounds), unit, least, most, tuple(rounds))

    @classmethod
    def ratio(
        cls,
        name: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        *,
        least: float | None = None,
        most: float | None = None,
    ) -> Self:
        """How many times `theirs` `ours` is, round by round: what loads the machine in one round loads both."""
        rounds = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        return cls.of(name, rounds, "times", least=least, most=most)

    @property
    def target(self) -> str:
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def met(self) -> bool | None:
        """Whether the target is met, `None` where there is none. By the value as measured, not as printed."""
        if self.least is not None:
            return self.value >= self.least
        return None if self.most is None else self.value <= self.most

    @property
    def shown(self) -> str:
        """The value with as few digits as leave it on its side of the target."""
        return shown(self.value, self.least if self.least is not None else self.most)

    @property
    def verdict(self) -> str:
        """Of one with a target: what was measured, what is promised, whether that is met."""
        return f"{self.name}: {self.shown}, {self.target}: {'met' if self.met else 'NOT MET'}"

    def as_json(self) -> dict[str, Any]:
        """What is kept: every round, so that others can reckon anew, and the value as measured.

        A value that was rounded might be printed on the other side of its target.
        """
        rounds = self.rounds or (self.value,)
        kept: dict[str, Any] = {"name": self.name, "unit": self.unit, "value": self.value}
        kept |= {"range": [round(min(rounds), 4), round(max(rounds), 4)], "rounds": [round(one, 4) for one in rounds]}
        if self.target:
            bound = {"least": self.least} if self.least is not None else {"most": self.most}
            kept |= {"target": bound, "met": self.met}
        return kept


def shown(value: float, bound: float | None = None) -> str:
    """Three digits, or as many more as it takes to be on the side of `bound` where `value` is."""
    for digits in range(3, 16):
        text = f"{value:,.{digits}g}" if abs(value) < 100 else f"{value:,.{digits - 3}f}"
        printed = float(text.replace(",", ""))
        if bound is None or ((printed > bound) == (value > bound) and (printed < bound) == (value < bound)):
            break
    return text


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest measured value that at least `percent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def show(bench: str, figures: Sequence[Figure], *, notes: Sequence[str] = ()) -> bool:
    """Print the table, the notes, each target and the JSON line; returns whether every target was met.

    With `./dev bench NAME --record` it is written to `docs/benchmarks` as well.
    """
    table = Table(title=f"bench {bench}", title_justify="left")
    table.add_column("figure")
    for heading in ("measured", "from", "to", "unit", "target", "met"):
        table.add_column(heading, justify="right" if heading in ("measured", "from", "to") else "left")
    for figure in figures:
        verdict = {True: "yes", False: "NO", None: ""}[figure.met]
        ends = (shown(min(figure.rounds)), shown(max(figure.rounds))) if len(figure.rounds) > 1 else ("", "")
        table.add_row(figure.name, figure.shown, *ends, figure.unit, figure.target, verdict)
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    verdicts = [f"{bench}: {figure.verdict}" for figure in figures if figure.target]
    for line in verdicts:
        print(line)
    met = all(figure.met is not False for figure in figures)
    answer = {
        "bench": bench,
        "figures": {figure.name: round(figure.value, 4) for figure in figures},
        "targets": {figure.name: figure.target for figure in figures if figure.target},
        "verdicts": verdicts,
        "missed": [figure.name for figure in figures if figure.met is False],
        "met": met,
    }
    recording.keep(bench, {"figures": [figure.as_json() for figure in figures], "notes": [*notes], "met": met})
    print(json.dumps(answer), flush=True)
    return met

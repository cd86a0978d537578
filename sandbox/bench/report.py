"""A result as people read it, and as the last line that programs read."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `most` or `least` is its target; neither: it is there to compare with."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def target(self) -> str:
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def met(self) -> bool | None:
        """Whether the target is met, `None` where there is none."""
        if self.least is not None:
            return self.value >= self.least
        return None if self.most is None else self.value <= self.most


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest measured value that at least `percent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def show(bench: str, figures: Sequence[Figure], *, notes: Sequence[str] = ()) -> bool:
    """Print the table, the notes and the JSON line; returns whether every target was met."""
    table = Table(title=f"bench {bench}", title_justify="left")
    table.add_column("figure")
    for heading in ("measured", "unit", "target", "met"):
        table.add_column(heading, justify="right" if heading == "measured" else "left")
    for figure in figures:
        verdict = {True: "yes", False: "NO", None: ""}[figure.met]
        table.add_row(
            figure.name,
            f"{figure.value:,.3g}" if figure.value < 100 else f"{figure.value:,.0f}",
            figure.unit,
            figure.target,
            verdict,
        )
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    met = all(figure.met is not False for figure in figures)
    answer = {
        "bench": bench,
        "figures": {figure.name: round(figure.value, 4) for figure in figures},
        "targets": {figure.name: figure.target for figure in figures if figure.target},
        "met": met,
    }
    print(json.dumps(answer), flush=True)
    return met

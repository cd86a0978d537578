"""The plots of `docs/growth.md`, made of what was recorded: `./dev bench growth --plot`.

Each stands between its marks, `<!-- plot: NAME -->` and `<!-- end -->`; around them stands what people wrote about it.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox.bench.growth.archive import ROWS
from sandbox.bench.growth.distance import COUNTS, WAYS
from sandbox.bench.growth.svg import Plot, Series, bars, curves
from sandbox.bench.growth.workers import BRIDGES, LOADS, WORKERS
from sandbox.bench.report import median
from sandbox.bench.tables import recorded_figures
from sandbox.packages import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "growth.md"
FOLDER = CHECKOUT / "docs" / "growth"
MARKED = re.compile(r"<!-- plot: (?P<name>[a-z0-9-]+) -->\n.*?<!-- end -->", re.DOTALL)
Drawing = Callable[[Plot], str]
# What was recorded is the value of a figure by its name.
Values = dict[str, float]


def write() -> list[Path]:
    """Draw each plot whose figures were recorded, and show it in the document; returns the files."""
    drawn = drawn_plots(recorded_values())
    FOLDER.mkdir(exist_ok=True)
    written = [DOCUMENT]
    for name, svg in drawn.items():
        written.append(FOLDER / f"{name}.svg")
        written[-1].write_text(svg, encoding="utf-8")
    DOCUMENT.write_text(brought_up(DOCUMENT.read_text(encoding="utf-8"), drawn), encoding="utf-8")
    return written


def brought_up(text: str, drawn: dict[str, str]) -> str:
    """The document with a picture at each mark whose plot was drawn."""
    titles = {name: plot.title for name, (plot, _) in _plots({}).items()}

    def shown(match: re.Match[str]) -> str:
        name = match["name"]
        body = f"![{titles[name]}](growth/{name}.svg)" if name in drawn else "Not recorded yet."
        return f"<!-- plot: {name} -->\n{body}\n<!-- end -->"

    return MARKED.sub(shown, text)


def recorded_values() -> Values:
    """Of all parts together: their figures have names of their own. What several runs have is their median."""
    found: dict[str, list[float]] = {}
    for name, answer in recorded_figures().items():
        for figure in answer["figures"] if name.startswith("growth-") else ():
            found.setdefault(figure["name"], []).append(figure["value"])
    return {name: median(values) for name, values in found.items()}


def all_names() -> set[str]:
    return {*_plots({})}


def drawn_plots(values: Values) -> dict[str, str]:
    """By name of file. A plot none of whose values is there is left out."""
    found = {}
    for name, (plot, draw) in _plots(values).items():
        if any(value is not None for series in plot.series for value in series.values):
            found[name] = draw(plot)
    return found


def _plots(values: Values) -> dict[str, tuple[Plot, Drawing]]:
    return {
        **{f"workers-{number}": (plot, curves) for number, plot in enumerate(_workers(values), 1)},
        "archive-statements": (_archive(values, "Of a message, by the size of the archive", "ms", _STEPS), curves),
        "archive-pages": (_archive(values, "Of a page, processors' time", "ms", _PAGES), curves),
        "archive-throughput": (
            _archive(values, "Messages a second, by the size of the archive", "messages/s", _RATES),
            bars,
        ),
        "distance-rates": (_distance(values), bars),
        "distance-turns": (_turns(values), bars),
    }


_STEPS = {"read of ten": "read of ten", "claim": "claim", "outcome": "outcome"}
_PAGES = {
    "dashboard, processor": "home page",
    "overview of queues, processor": "overview of queues",
    "/metrics, processor": "/metrics",
}
_RATES = {"delivered": "alone", "delivered beside retention": "while old messages are deleted"}


def _workers(values: Values) -> Iterator[Plot]:
    for load in LOADS:
        yield Plot(
            f"Messages a second: {load.name}",
            "messages/s",
            "workers, each with two children, on one machine",
            [str(number) for number in WORKERS],
            [
                Series(
                    "one bridge" if bridges == 1 else f"{bridges} bridges",
                    [values.get(f"{load.name}; {number} workers, {bridges} bridges") for number in WORKERS],
                )
                for bridges in BRIDGES
            ],
        )


def _archive(values: Values, title: str, unit: str, wanted: dict[str, str]) -> Plot:
    series = [
        Series(name, [values.get(f"{rows:,} rows: {figure}") for rows in ROWS]) for figure, name in wanted.items()
    ]
    return Plot(title, unit, "messages in the archive", [f"{rows:,}" for rows in ROWS], series)


def _distance(values: Values) -> Plot:
    series = [Series(way.name, [values.get(f"{kind}; {way.name}") for kind in COUNTS]) for way in WAYS]
    return Plot("Done in a second, by the distance from Postgres", "of a kind a second", "", [*COUNTS], series)


def _turns(values: Values) -> Plot:
    series = [
        Series(who, [values.get(f"{kind}; {WAYS[0].name}: by the {who}") for kind in COUNTS])
        for who in ("worker", "bridge")
    ]
    return Plot("Round trips to Postgres of each", "round trips", "", [*COUNTS], series)

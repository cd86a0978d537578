"""A plot as SVG, drawn line by line: curves over a scale of numbers, or groups of bars. Readable in light and in dark.

A document that is shown as a picture knows nothing of the page around it, so the plot asks the reader's system itself
which of both it is. Nothing in it is a script, and nothing is fetched.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 62, 76
_LINES = 5
# Told apart by people who see few colours, on white and on black; the marks tell them apart as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56708a")
DARK = ("#56b4e9", "#ff8c42", "#2fd1a0", "#f0a3cc", "#e6c84f", "#a9bccf")
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.ground { fill: #ffffff }
.grid { stroke: #d0d7de; stroke-width: 1 }
.axis { stroke: #57606a; stroke-width: 1 }
.curve { fill: none; stroke-width: 2 }
.value { font-size: 11px }
.inside { fill: #ffffff }
.legend { font-size: 12px }
"""
_STYLE_DARK = (
    "text { fill: #e6edf3 } .inside, .ground { fill: #0d1117 } .grid { stroke: #30363d } .axis { stroke: #8b949e }"
)


@dataclass(frozen=True, slots=True)
class Series:
    """Values in the order of the labels of the plot; `None` where nothing was measured."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """`labels` stand below: what was changed. `unit` is that of all values."""

    title: str
    unit: str
    below: str
    labels: Sequence[str]
    series: Sequence[Series]


def curves(plot: Plot) -> str:
    """A line a series, and a mark a value."""
    return _drawn(plot, _curves)


def bars(plot: Plot) -> str:
    """A group a label, and a bar a series, each with its value."""
    return _drawn(plot, _bars)


def _drawn(plot: Plot, draw: Callable[[Plot, float], Iterable[str]]) -> str:
    top = nice_top(max((value for one in plot.series for value in one.values if value is not None), default=1.0))
    what = f"{plot.title}, {plot.unit}: " + "; ".join(_said(plot, one) for one in plot.series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="said">',
        f'<title id="said">{escape(what)}</title>',
        f"<style>{_STYLE}{_colours(COLOURS)}",
        f"@media (prefers-color-scheme: dark) {{ {_STYLE_DARK} {_colours(DARK)} }}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="title" x="{_LEFT - 52}" y="28">{escape(plot.title)}</text>',
        f'<text x="{_LEFT - 52}" y="50">{escape(plot.unit)}</text>',
        *_grid(top),
        *_labels(plot),
        *draw(plot, top),
        *_legend(plot),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def nice_top(largest: float) -> float:
    """The end of a scale whose lines have round numbers."""
    if largest <= 0:
        return 1.0
    step = largest / _LINES
    size = 10.0 ** math.floor(math.log10(step))
    return next(each * size for each in (1, 2, 2.5, 4, 5, 10) if each * size >= step * 0.999999) * _LINES


def number(value: float) -> str:
    """Three digits are enough for a picture."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _said(plot: Plot, series: Series) -> str:
    values = zip(plot.labels, series.values, strict=True)
    return f"{series.name} " + ", ".join(f"{label}: {number(value)}" for label, value in values if value is not None)


def _colours(colours: Sequence[str]) -> str:
    return "".join(f".s{place} {{ stroke: {one} }} .f{place} {{ fill: {one} }} " for place, one in enumerate(colours))


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top, 1)


def _x(plot: Plot, place: int) -> float:
    """The middle of a label's share of the width."""
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (place + 0.5) / len(plot.labels), 1)


def _grid(top: float) -> Iterable[str]:
    for line in range(_LINES + 1):
        value = top * line / _LINES
        y = _y(value, top)
        kind = "grid" if line else "axis"
        yield f'<line class="{kind}" x1="{_LEFT}" y1="{y}" x2="{WIDTH - _RIGHT}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{number(value)}</text>'


def _labels(plot: Plot) -> Iterable[str]:
    for place, label in enumerate(plot.labels):
        yield f'<text x="{_x(plot, place)}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(label)}</text>'
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - _BOTTOM + 38}" text-anchor="middle">{escape(plot.below)}</text>'


def _curves(plot: Plot, top: float) -> Iterable[str]:
    for place, series in enumerate(plot.series):
        points = [(_x(plot, where), _y(value, top)) for where, value in enumerate(series.values) if value is not None]
        path = " ".join(f"{x},{y}" for x, y in points)
        yield f'<polyline class="curve s{place}" points="{path}"/>'
        yield from (_mark(place, x, y) for x, y in points)


def _bars(plot: Plot, top: float) -> Iterable[str]:
    share = (WIDTH - _LEFT - _RIGHT) / len(plot.labels)
    width = round(share * 0.8 / len(plot.series), 1)
    for where in range(len(plot.labels)):
        left = _x(plot, where) - width * len(plot.series) / 2
        for place, series in enumerate(plot.series):
            value = series.values[where]
            if value is None:
                continue
            x, y = round(left + width * place, 1), _y(value, top)
            height = round(HEIGHT - _BOTTOM - y, 1)
            yield f'<rect class="f{place}" x="{x + 1}" y="{y}" width="{width - 2}" height="{height}"/>'
            middle = round(x + width / 2, 1)
            # Above the highest bars stands what the scale is in.
            kind, below = ("value inside", y + 14) if y < _TOP + 14 else ("value", y - 4)
            yield f'<text class="{kind}" x="{middle}" y="{round(below, 1)}" text-anchor="middle">{number(value)}</text>'


def _mark(place: int, x: float, y: float) -> str:
    if place % 3 == 0:
        return f'<circle class="f{place}" cx="{x}" cy="{y}" r="4.5"/>'
    if place % 3 == 1:
        return f'<rect class="f{place}" x="{x - 4}" y="{y - 4}" width="8" height="8"/>'
    return f'<path class="f{place}" d="M{x} {y - 5.5}L{x + 5.5} {y + 4}H{x - 5.5}Z"/>'


def _legend(plot: Plot) -> Iterable[str]:
    x = float(_LEFT - 40)
    for place, series in enumerate(plot.series):
        yield _mark(place, x, HEIGHT - 18)
        yield f'<text class="legend" x="{round(x + 11, 1)}" y="{HEIGHT - 14}">{escape(series.name)}</text>'
        # Proportional letters have no width that is known here; a mean one with some room does.
        x = round(x + 32 + 7 * len(series.name), 1)

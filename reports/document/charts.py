"""Where everything stands in a section's chart, in millimetres. The template draws, and escapes the texts.

A row shows the score on a bar from 0 to the scale's maximum, and beside it which of the three bands was found. The
bands have no place on the bar: their limits belong to the scoring functions and are not stored.

Words are no part of the drawing: WeasyPrint sets the text of an SVG letter by letter, which is slow and tears words
apart for whoever searches or copies. They stand over it as lines of the same height.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.content.data import ScaleResult, SectionResults
from reports.content.scales import KNOWN_BANDS, TOTAL, Band
from reports.document.wording import score_words

# The style sheet sets its lines to the same measures.
WIDTH = 176
ROW = 7.2
HEAD = 6.0
BAR_LEFT, BAR_WIDTH = 46.0, 51.0
STEP_LEFT, STEP_WIDTH, STEP_GAP = 120.0, 17.6, 1.5
BAR_THICKNESS, STEP_THICKNESS = 3.2, 4.2
COLOURS = {Band.TYPICAL: "#5a9ca6", Band.BORDERLINE: "#facc15", Band.CONCERNING: "#ff6b6b", Band.UNKNOWN: "#a9b3b9"}


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three bands of a row."""

    left: float
    band: Band
    active: bool

    @property
    def middle(self) -> float:
        return round(self.left + STEP_WIDTH / 2, 2)


@dataclass(frozen=True, slots=True)
class Stroke:
    """Lines of one colour and thickness, with round ends, as the path data of SVG."""

    path: str
    colour: str
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """One bar. `filled` is its length, `None` where there is no score; the sum has no steps unless it has a band."""

    middle: float
    title: str
    score: str
    band: Band
    filled: float | None
    steps: tuple[Step, ...]
    is_total: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `WIDTH` × `height` millimetres; `description` says all of it in words."""

    height: float
    rows: tuple[Row, ...]
    heads: tuple[Step, ...]
    description: str
    width: int = WIDTH
    bar_left: float = BAR_LEFT
    bar_width: float = BAR_WIDTH

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The bars and the steps, from back to front.

        WeasyPrint spends more on an element than on what it draws, so all that looks alike is one.
        """
        # A light step is one colour over another: its outline and what is inside.
        known = [row for row in self.rows if row.filled is not None]
        off = [(step.left, row.middle, STEP_WIDTH) for row in self.rows for step in row.steps if not step.active]
        strokes = [
            _stroke([(BAR_LEFT, row.middle, BAR_WIDTH) for row in known], "#eee9e2", BAR_THICKNESS),
            _stroke(off, "#e3ddd4", STEP_THICKNESS),
            _stroke(
                [(left + 0.2, middle, width - 0.4) for left, middle, width in off], "#f7f4ef", STEP_THICKNESS - 0.4
            ),
        ]
        for band, colour in COLOURS.items():
            rows = [row for row in self.rows if row.band == band]
            filled = [(BAR_LEFT, row.middle, row.filled) for row in rows if row.filled]
            on = [(step.left, row.middle, STEP_WIDTH) for row in rows for step in row.steps if step.active]
            strokes += [_stroke(filled, colour, BAR_THICKNESS), _stroke(on, colour, STEP_THICKNESS)]
        return tuple(stroke for stroke in strokes if stroke.path)

    @property
    def marks(self) -> tuple[tuple[Band, float, float], ...]:
        """The shape on each step that was found, at its middle: colour alone says nothing to everybody."""
        return tuple((row.band, step.middle, row.middle) for row in self.rows for step in row.steps if step.active)

    @property
    def total_line(self) -> float | None:
        """Where the line above the sum stands, if there is a sum."""
        return next((round(row.middle - ROW / 2, 2) for row in self.rows if row.is_total), None)


def draw_chart(section: SectionResults, *, title: str) -> Chart:
    """Lay out one row for each result, in the section's order."""
    rows = tuple(_rows(section.results))
    # One sentence each, as a screen reader speaks it.
    spoken = ". ".join(f"{row.title}: {row.score}, {row.band.label.lower()}" for row in rows)
    return Chart(
        height=round(HEAD + ROW * len(rows), 2),
        rows=rows,
        heads=_steps(Band.UNKNOWN),
        description=f"Диаграмма «{title}». {spoken}.",
    )


def bar_length(result: ScaleResult, width: float) -> float | None:
    """How much of a bar of that width the score fills; a score beyond the maximum fills all of it."""
    if result.score is None:
        return None
    return round(min(float(result.score) / result.scale.maximum, 1.0) * width, 2)


def _rows(results: Sequence[ScaleResult]) -> Iterable[Row]:
    for number, result in enumerate(results):
        is_total = result.scale == TOTAL
        yield Row(
            middle=round(HEAD + ROW * (number + 0.5), 2),
            title=result.scale.title,
            score=score_words(result),
            band=result.band,
            filled=bar_length(result, BAR_WIDTH),
            steps=() if is_total and result.band == Band.UNKNOWN else _steps(result.band),
            is_total=is_total,
        )


def _steps(active: Band) -> tuple[Step, ...]:
    return tuple(
        Step(round(STEP_LEFT + number * (STEP_WIDTH + STEP_GAP), 2), band, band == active)
        for number, band in enumerate(KNOWN_BANDS)
    )


def _stroke(lines: Iterable[tuple[float, float, float]], colour: str, width: float) -> Stroke:
    """Of lines given by left edge, middle and length; the round ends belong to it, so no line is shorter than thick."""
    path = "".join(
        f"M{left + width / 2:.2f} {middle:.2f}h{max(length - width, 0.01):.2f}" for left, middle, length in lines
    )
    return Stroke(path, colour, round(width, 2))

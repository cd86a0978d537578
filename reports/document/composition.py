"""`ReportData` and the texts, composed into the HTML that is typeset. Django's templates escape every value."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.template.loader import render_to_string

from reports.content.data import ReportData, ScaleResult, SectionResults
from reports.content.scales import KNOWN_BANDS, Band, Section
from reports.document.charts import Chart, bar_length, draw_chart
from reports.document.texts import Advice, ReportTexts, report_texts
from reports.document.wording import age_words, moscow_date, printable, score_words
from wording.plain_text import one_line
from wording.russian import MOSCOW

# The head of a section stays on one line.
_NAME_IN_HEAD = 28
_BETWEEN_TAGS = re.compile(r">\s*\n\s*<")
# The summary names the four difficulties; how they weigh on life is told in the section.
_CHILD_CARDS = ("emotional", "conduct", "peer_problems", "hyperactivity")


@dataclass(frozen=True, slots=True)
class ScaleLine:
    """A result as it is printed; `percent` is the length of a small bar. `advice` is `None` for an unknown band."""

    title: str
    short: str
    score: str
    band: Band
    percent: float | None
    advice: Advice | None


@dataclass(frozen=True, slots=True)
class SectionPart:
    """A section of the document; `about` says whose results these are and of which day, as far as is known."""

    section: Section
    title: str
    intro: str
    about: str
    chart: Chart
    scales: tuple[ScaleLine, ...]
    total: ScaleLine | None
    with_help: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A summary card: of the child's four scales, or of another section."""

    section: Section
    title: str
    lines: tuple[ScaleLine, ...]


def compose_html(data: ReportData) -> str:
    """The whole report as one HTML document."""
    texts = report_texts()
    child = next((part for part in data.sections if part.section is Section.CHILD), None)
    # Where to turn in need stands once: with the parent's own state, or at the end.
    helped = next((part for part in data.sections if part.section is Section.PARENT), data.sections[-1])
    context = {
        "texts": texts,
        "name": printable((child and child.person) or data.name) or texts.nobody,
        "age": age_words(child.age if child else None),
        "created": data.completed_at and data.completed_at.astimezone(MOSCOW).isoformat(timespec="seconds"),
        "date": moscow_date(data.completed_at),
        "key": [(band, texts.bands[band]) for band in KNOWN_BANDS],
        "worries": [(group.area.label, _printable(group.tags), group.more) for group in data.worries],
        "cards": tuple(_card(part, texts) for part in data.sections),
        "parts": tuple(_part(part, texts, with_help=part is helped) for part in data.sections),
    }
    # Nothing of a line break between tags is seen, and WeasyPrint would make a box of each.
    return _BETWEEN_TAGS.sub("><", render_to_string("reports/document.html", context))


def _card(results: SectionResults, texts: ReportTexts) -> Card:
    shown = results.scales
    if results.section is Section.CHILD:
        shown = tuple(result for result in shown if result.scale.key in _CHILD_CARDS) or shown
    lines = tuple(_line(result, texts) for result in shown)
    return Card(results.section, texts.sections[results.section].title, lines)


def _part(results: SectionResults, texts: ReportTexts, *, with_help: bool) -> SectionPart:
    said = texts.sections[results.section]
    person = one_line(printable(results.person), _NAME_IN_HEAD)
    about = [person, age_words(results.age), moscow_date(results.completed_at)]
    return SectionPart(
        section=results.section,
        title=said.title,
        intro=said.intro,
        about=" · ".join(filter(None, about)),
        chart=draw_chart(results, title=said.title),
        scales=tuple(_line(result, texts) for result in results.scales),
        total=_line(results.total, texts) if results.total else None,
        with_help=with_help,
    )


def _printable(tags: Iterable[str]) -> list[str]:
    return [tag for tag in map(printable, tags) if tag]


def _line(result: ScaleResult, texts: ReportTexts) -> ScaleLine:
    return ScaleLine(
        title=result.scale.title,
        short=result.scale.short,
        score=score_words(result),
        band=result.band,
        percent=bar_length(result, 100),
        advice=texts.advice.get((result.scale.key, result.band)),
    )

"""What a report costs: time a page, and whether a worker that makes many of them grows."""

import os
import time
from collections.abc import Callable
from html import escape
from xml.etree import ElementTree as ET

import django
import psutil

from sandbox.bench.report import Figure, median, show

DOCUMENTS = 100
A_ROUND = 20
# Missed: docs/adr/0072-what-a-report-costs-beside-its-words.md says what the rest is.
MOST_TIMES = 1.5
# The fonts, WeasyPrint's own caches and Python's arenas are filled by the first ones.
WARM_UP = 40
MEGABYTE = 1_000_000
SAMPLE = "child"
EMPTY = '<html lang="ru"><title>-</title><body></body></html>'


def run() -> bool:
    """The usual three-page document. The baselines, in the same process and in turn: WeasyPrint on an empty page, and
    on the same words as plain paragraphs, which is what their typesetting alone costs.
    """
    # Nothing is connected to: samples need no database.
    os.environ.update(
        BALANSITY_ENV="sandbox",
        DATABASE_URL="postgres://bench@127.0.0.1/bench",
        REDIS_URL="redis://127.0.0.1/0",
        DJANGO_SETTINGS_MODULE="balansity.settings",
    )
    django.setup()
    # Models and settings can only be imported now.
    from reports.content.samples import SAMPLES  # noqa: PLC0415
    from reports.document.composition import compose_html  # noqa: PLC0415
    from reports.document.preview import draw_preview  # noqa: PLC0415
    from reports.document.typesetting import TypesetDocument, typeset_pdf, weasyprint  # noqa: PLC0415

    def make_document() -> TypesetDocument:
        return typeset_pdf(compose_html(SAMPLES[SAMPLE]))

    process = psutil.Process()
    library = weasyprint()
    # Of its own, but one for all: a font configuration a document is what makes WeasyPrint grow.
    fonts = library.text.fonts.FontConfiguration()
    document, markup = make_document(), compose_html(SAMPLES[SAMPLE])
    words, undrawn, unstyled = _plain(markup), _without_drawings(markup), _without_classes(markup)
    whole, preview, plain, empty, sizes = [], [], [], [], []
    no_drawings, no_classes = [], []
    for number in range(WARM_UP + DOCUMENTS + 1):
        if number >= WARM_UP:
            sizes.append(process.memory_info().rss / MEGABYTE)
        whole.append(_milliseconds(make_document))
        preview.append(_milliseconds(lambda: draw_preview(document.content)))
        plain.append(_milliseconds(lambda: typeset_pdf(words)))
        no_drawings.append(_milliseconds(lambda: typeset_pdf(undrawn)))
        no_classes.append(_milliseconds(lambda: typeset_pdf(unstyled)))
        empty.append(_milliseconds(lambda: library.HTML(string=EMPTY).write_pdf(font_config=fonts)))
    usual, words_alone, nothing = (_rounds(times) for times in (whole, plain, empty))
    a_page = [one / document.pages for one in usual]
    return show(
        "report",
        [
            Figure.of(f"document of {document.pages} pages", usual, "ms", most=200),
            Figure.of("the same, a page", a_page, "ms"),
            Figure("the same, fastest", min(whole[WARM_UP:]), "ms"),
            Figure.of("preview of its first page", _rounds(preview), "ms"),
            Figure.of("WeasyPrint, its words as plain paragraphs", words_alone, "ms"),
            Figure.of("WeasyPrint, empty page", nothing, "ms"),
            Figure.of("the document without its charts and icons", _rounds(no_drawings), "ms"),
            Figure.of("the document without its style", _rounds(no_classes), "ms"),
            Figure.ratio("document / plain paragraphs", usual, words_alone, most=MOST_TIMES),
            Figure.ratio("page / empty page", a_page, nothing),
            Figure("process before", sizes[0], "MB"),
            Figure(f"growth over {DOCUMENTS} documents", sizes[-1] - sizes[0], "MB", most=5),
        ],
        notes=["processor time, as all of it happens in one thread that waits for nothing"],
    )


def _rounds(times: list[float]) -> list[float]:
    """The medians of so many documents in a row."""
    return [median(times[first : first + A_ROUND]) for first in range(WARM_UP, WARM_UP + DOCUMENTS, A_ROUND)]


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def _plain(markup: str) -> str:
    body = _parsed(markup).find("body")
    words = [text.strip() for text in body.itertext() if text.strip()] if body is not None else []
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in words)
    return f'<html lang="ru"><head><title>-</title></head><body>{paragraphs}</body></html>'


def _without_drawings(markup: str) -> str:
    body = _parsed(markup)
    for parent in list(body.iter()):
        for child in [child for child in parent if child.tag.endswith("svg")]:
            parent.remove(child)
    return _written(body)


def _without_classes(markup: str) -> str:
    """The same elements and words, which no rule of the style sheet knows by a class."""
    body = _parsed(markup)
    for element in body.iter():
        element.attrib.pop("class", None)
    return _written(body)


def _parsed(markup: str) -> ET.Element:
    return ET.fromstring(markup)  # noqa: S314 # Ours.


def _written(body: ET.Element) -> str:
    return ET.tostring(body, encoding="unicode")

"""A report as the file that is stored: PDF, CSV or JSON. The same data always give the same bytes."""

from dataclasses import dataclass
from typing import Literal

from reports.composition import compose_html
from reports.data import ReportData
from reports.exports import to_csv, to_json
from reports.preview import draw_preview
from reports.typesetting import typeset_pdf

Kind = Literal["pdf", "csv", "json"]
KINDS: tuple[Kind, ...] = ("pdf", "csv", "json")


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """A finished file. `pages` is 0 and `preview`, a PNG of the first page, `None` for what has no pages."""

    content: bytes
    media_type: str
    extension: str
    pages: int = 0
    preview: bytes | None = None


def render(data: ReportData, kind: Kind) -> RenderedReport:
    """Render the kind that a message asks for. Raises `TypesettingUnavailable` where a PDF cannot be made."""
    match kind:
        case "pdf":
            return render_pdf(data)
        case "csv":
            return render_csv(data)
        case "json":
            return render_json(data)


def render_pdf(data: ReportData) -> RenderedReport:
    document = typeset_pdf(compose_html(data))
    preview = draw_preview(document.content)
    return RenderedReport(document.content, "application/pdf", "pdf", document.pages, preview)


def render_csv(data: ReportData) -> RenderedReport:
    return RenderedReport(to_csv(data), "text/csv; charset=utf-8", "csv")


def render_json(data: ReportData) -> RenderedReport:
    return RenderedReport(to_json(data), "application/json", "json")

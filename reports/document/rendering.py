"""A report as the document that is stored: PDF, CSV or JSON. The same data always give the same bytes."""

import time
from hashlib import sha256
from typing import assert_never

from reports.content.data import ReportData
from reports.document.composition import compose_html
from reports.document.exports import to_csv, to_json
from reports.document.made import Document
from reports.document.preview import draw_preview
from reports.document.typesetting import typeset_pdf
from reports.models import Kind


def render(data: ReportData, kind: Kind) -> Document:
    """Render the kind that a message asks for. Raises `TypesettingUnavailable` where a PDF cannot be made."""
    started = time.monotonic()
    content, pages, preview = _drawn(data, kind)
    return Document(
        content=content,
        extension=kind.value,
        sha256=sha256(content).hexdigest(),
        pages=pages,
        preview=preview,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def _drawn(data: ReportData, kind: Kind) -> tuple[bytes, int | None, bytes]:
    match kind:
        case Kind.PDF:
            typeset = typeset_pdf(compose_html(data))
            return typeset.content, typeset.pages, draw_preview(typeset.content)
        case Kind.CSV:
            return to_csv(data), None, b""
        case Kind.JSON:
            return to_json(data), None, b""
        case _:
            assert_never(kind)

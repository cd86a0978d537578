"""Renders a report and measures it."""

import time
from hashlib import sha256
from typing import cast

from reports.data import ReportData
from reports.document import Document
from reports.models import Kind
from reports.rendering import Kind as RenderedKind
from reports.rendering import render


def make_document(data: ReportData, kind: Kind) -> Document:
    started = time.monotonic()
    rendered = render(data, cast(RenderedKind, kind.value))
    return Document(
        content=rendered.content,
        extension=rendered.extension.lstrip("."),
        sha256=sha256(rendered.content).hexdigest(),
        pages=rendered.pages or None,
        preview=rendered.preview or b"",
        duration_ms=round((time.monotonic() - started) * 1000),
    )

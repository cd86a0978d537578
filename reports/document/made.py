"""A document that was made.

Apart from what makes it: whoever stores it, or notes that it is there, needs no texts, charts and typesetting.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """`pages` is `None` for what has no pages, `preview` a PNG of the first one or empty; `duration_ms` of rendering.

    `extension` comes without a dot; `sha256` is in hexadecimal.
    """

    content: bytes
    extension: str
    sha256: str
    pages: int | None
    preview: bytes
    duration_ms: int

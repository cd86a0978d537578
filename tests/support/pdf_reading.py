"""What a reader, a screen reader and a search find in a PDF."""

import ctypes
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

_NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class PdfContent:
    """`text` has single spaces throughout; `tags` and `alternatives` come from the structure tree."""

    pages: int
    text: str
    page_texts: tuple[str, ...]
    title: str
    language: str
    is_tagged: bool
    tags: tuple[str, ...]
    alternatives: tuple[str, ...]
    fonts: frozenset[str]
    loose_fonts: frozenset[str]
    attachments: int
    metadata: str


def read_pdf(content: bytes) -> PdfContent:
    document = pypdfium2.PdfDocument(content)
    try:
        texts = tuple(_line(page.get_textpage().get_text_bounded()) for page in document)
        elements = [element for page in document for element in _elements(page)]
        fonts = {font for page in document for font in _fonts(page)}
        return PdfContent(
            pages=len(document),
            text=" ".join(texts),
            page_texts=texts,
            title=document.get_metadata_value("Title"),
            language=_wide(pdfium.FPDFCatalog_GetLanguage, document),
            is_tagged=bool(pdfium.FPDFCatalog_IsTagged(document)),
            tags=tuple(tag for tag, _ in elements),
            alternatives=tuple(words for _, words in elements if words),
            fonts=frozenset(name for name, _ in fonts),
            loose_fonts=frozenset(name for name, is_embedded in fonts if not is_embedded),
            attachments=document.count_attachments(),
            metadata=_metadata(content),
        )
    finally:
        document.close()


def _metadata(content: bytes) -> str:
    """The XMP packet, which nobody reads by PDFium."""
    for stream in re.findall(rb"/Type /Metadata.*?stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        return (zlib.decompress(stream) if stream[:1] == b"x" else stream).decode()
    return ""


def _line(text: str) -> str:
    return " ".join(text.replace(_NBSP, " ").split())


def _elements(page: Any) -> Iterator[tuple[str, str]]:
    tree = pdfium.FPDF_StructTree_GetForPage(page)
    try:
        waiting = [
            pdfium.FPDF_StructTree_GetChildAtIndex(tree, number)
            for number in range(pdfium.FPDF_StructTree_CountChildren(tree))
        ]
        while waiting:
            element = waiting.pop(0)
            yield (
                _wide(pdfium.FPDF_StructElement_GetType, element),
                _wide(pdfium.FPDF_StructElement_GetAltText, element),
            )
            children = (
                pdfium.FPDF_StructElement_GetChildAtIndex(element, number)
                for number in range(pdfium.FPDF_StructElement_CountChildren(element))
            )
            waiting[:0] = [child for child in children if child]
    finally:
        pdfium.FPDF_StructTree_Close(tree)


def _fonts(page: Any) -> Iterator[tuple[str, bool]]:
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
        font = pdfium.FPDFTextObj_GetFont(item)
        size = pdfium.FPDFFont_GetBaseFontName(font, None, 0)
        buffer = ctypes.create_string_buffer(size)
        pdfium.FPDFFont_GetBaseFontName(font, buffer, size)
        yield buffer.value.decode().rpartition("+")[2], pdfium.FPDFFont_GetIsEmbedded(font) == 1


def _wide(function: Callable[..., int], handle: Any) -> str:
    """What PDFium writes into a buffer of UTF-16."""
    size = function(handle, None, 0)
    buffer = ctypes.create_string_buffer(size)
    function(handle, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[:size].decode("utf-16-le").rstrip("\0")

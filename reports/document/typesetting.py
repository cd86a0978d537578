"""HTML → PDF: the only caller of WeasyPrint, in a closed room.

WeasyPrint is imported by the first document and not with this module: loading it takes a quarter of a second and
needs Pango, and neither web processes nor the workers of other queues ever typeset.
"""

import gc
import importlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

from reports.document.loading import wholly
from reports.errors import TypesettingUnavailable

logger = logging.getLogger(__name__)

SCHEME = "report-asset"
_HERE = Path(__file__).parent
# Nothing else can be fetched while a report is made.
ASSETS: Mapping[str, tuple[Path, str]] = {
    "report.css": (_HERE / "styles" / "report.css", "text/css"),
    "PTS55F.ttf": (_HERE / "fonts" / "PTS55F.ttf", "font/ttf"),
    "PTS75F.ttf": (_HERE / "fonts" / "PTS75F.ttf", "font/ttf"),
    "PTF75F.ttf": (_HERE / "fonts" / "PTF75F.ttf", "font/ttf"),
}


@dataclass(frozen=True, slots=True)
class TypesetDocument:
    content: bytes
    pages: int


def typeset_pdf(markup: str) -> TypesetDocument:
    """Typeset a document as PDF/UA-1. The same markup gives the same bytes.

    The markup is HTML written as well-formed XML, which is parsed in no time; anything else raises `ParseError` of
    `xml.etree`. Whatever it refers to, nothing is read but `ASSETS`; a refused address is logged and left out. Raises
    `TypesettingUnavailable` when WeasyPrint's libraries are not installed.
    """
    return _press().typeset(markup)


def weasyprint() -> ModuleType:
    """WeasyPrint itself. Raises `TypesettingUnavailable` when it or a library that it needs is missing."""
    try:
        with wholly():
            return importlib.import_module("weasyprint")
    except (ImportError, OSError) as error:
        raise TypesettingUnavailable(f"WeasyPrint cannot be loaded: {error}") from error


class _Press:
    """The fonts and the style sheet, loaded once.

    Every `@font-face` that is loaded stays in the font configuration, and a configuration a document costs a quarter
    of a megabyte each that nobody gets back.
    """

    def __init__(self) -> None:
        library = weasyprint()
        self._fetcher = _closed_fetcher(library)
        self._fonts = library.text.fonts.FontConfiguration()
        self._style = library.CSS(url=f"{SCHEME}:report.css", font_config=self._fonts, url_fetcher=self._fetcher)
        self._page = _page_class(library)
        # Pango's font map belongs to one thread at a time.
        self._lock = threading.Lock()

    def typeset(self, markup: str) -> TypesetDocument:
        with self._lock, _collector_paused():
            return self._typeset(markup)

    def _typeset(self, markup: str) -> TypesetDocument:
        document = self._page(markup, self._fetcher).render(
            font_config=self._fonts, stylesheets=[self._style], pdf_variant="pdf/ua-1"
        )
        # Without an identifier, which is optional and would cost a second serialization: WeasyPrint hashes it all.
        return TypesetDocument(document.write_pdf(pdf_variant="pdf/ua-1"), len(document.pages))


# One a process: a worker that was forked must not share the lock or the temporary font files of its parent. The
# parent's stays referenced in the child, as its finalizer would delete the files that the parent still reads.
_presses: dict[int, _Press] = {}
_building = threading.Lock()
os.register_at_fork(after_in_child=lambda: globals().update(_building=threading.Lock()))


def _press() -> _Press:
    with _building:
        pid = os.getpid()
        if pid not in _presses:
            _presses[pid] = _Press()
        return _presses[pid]


def _closed_fetcher(library: ModuleType) -> Any:
    """A fetcher that knows the assets by name, and no file, network or `data:` address."""

    class AssetFetcher(library.urls.URLFetcher):  # type: ignore[misc, name-defined]
        def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
            scheme, _, name = url.partition(":")
            if scheme != SCHEME or name not in ASSETS:
                # The address may hold anything, a name included.
                logger.warning("refused to fetch an address of scheme %.20r for a report", scheme)
                raise ValueError("a report refers to nothing but its own assets")
            path, media_type = ASSETS[name]
            return library.urls.URLFetcherResponse(url, path.read_bytes(), {"Content-Type": media_type})

    return AssetFetcher()


def _page_class(library: ModuleType) -> Any:
    """WeasyPrint's HTML, of markup that is well-formed."""

    class Page(library.HTML):  # type: ignore[misc, name-defined]
        def __init__(self, markup: str, url_fetcher: Any) -> None:
            # Ours, with every value escaped, so it declares no entities that could multiply.
            root = ET.fromstring(markup)  # noqa: S314
            self.base_url = f"{SCHEME}:/"
            self.url_fetcher = url_fetcher
            self.media_type = "print"
            self.wrapper_element = library.cssselect2.ElementWrapper.from_html_root(root, content_language=None)
            self.etree_element = self.wrapper_element.etree_element

    return Page


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Leave cyclic garbage until the document is written.

    Its boxes and styles live until then; the collector would go over all of them again and again and find nothing, for
    a seventh of the time. Being young at the end, they go with the next ordinary collection.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

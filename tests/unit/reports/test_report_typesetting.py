import ctypes
import gc
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pytest

from reports.document import typesetting
from reports.document.checks import LIBRARIES, check_weasyprint
from reports.document.typesetting import typeset_pdf
from reports.errors import TypesettingUnavailable
from tests.support.pdf_reading import read_pdf

SECRET = "a secret of this machine"
EMPTY = '<html lang="ru"><head><title>x</title></head><body/></html>'


class Listener:
    """A server that notes whether anybody came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(10)
        self.port: int = self._socket.getsockname()[1]
        self.visits = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        # Closing alone doesn't wake a thread that waits in accept().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


ATTACKS = {
    "a file as an image": '<img alt="x" src="file://{file}"/>',
    "an image of the network": '<img alt="x" src="http://127.0.0.1:{port}/"/>',
    "an address without a scheme": '<img alt="x" src="//127.0.0.1:{port}/"/>',
    "a relative address": '<img alt="x" src="../../../../../..{file}"/>',
    "data in the address": '<img alt="x" src="data:text/plain,secret"/>',
    "an imported sheet": "<style>@import url(file://{file}); @import 'http://127.0.0.1:{port}/a.css';</style>",
    "a linked sheet": '<link rel="stylesheet" href="http://127.0.0.1:{port}/a.css"/>',
    "a font": "<style>@font-face {{ font-family: x; src: url(file://{file}) }} p {{ font-family: x }}</style>",
    "a background": '<p style="background: url(file://{file})">x</p>',
    "generated content": "<style>p::before {{ content: url(file://{file}) }}</style>",
    "an attachment": '<link rel="attachment" href="file://{file}"/>',
    "an attachment by a link": '<a rel="attachment" href="file://{file}">x</a>',
    "an image in a drawing": '<svg xmlns="http://www.w3.org/2000/svg"><title>x</title>'
    '<image href="file://{file}" width="9" height="9"/></svg>',
    "a reference in a drawing": '<svg xmlns="http://www.w3.org/2000/svg"><title>x</title>'
    '<use href="file://{file}#a"/><use href="http://127.0.0.1:{port}/#a"/></svg>',
    "an embedded object": '<object data="file://{file}"></object><embed src="http://127.0.0.1:{port}/"/>',
    "a changed base": '<base href="http://127.0.0.1:{port}/"/><img alt="x" src="a.png"/>',
    "our scheme with a path": '<link rel="stylesheet" href="report-asset:/{file}"/>'
    '<img alt="x" src="report-asset:../../manage.py"/>',
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_the_page_refers_to_nothing_is_read_and_the_document_comes(
    attack: str, tmp_path: Path, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    body = ATTACKS[attack].format(file=secret, port=listener.port)
    caplog.set_level(logging.WARNING, "reports.document.typesetting")
    html = f'<!DOCTYPE html><html lang="ru"><head><title>x</title></head><body><p>Текст отчёта</p>{body}</body></html>'
    document = typeset_pdf(html)
    found = read_pdf(document.content)
    assert "Текст отчёта" in found.text
    assert SECRET not in found.text
    assert found.attachments == 0
    assert SECRET.encode() not in document.content
    assert listener.visits == 0
    refusals = [record.getMessage() for record in caplog.records if record.name == "reports.document.typesetting"]
    # What WeasyPrint does not even try to load needs no refusal.
    assert bool(refusals) == (attack != "a reference in a drawing")
    assert not any(str(secret) in line for line in refusals)


def test_a_page_of_nothing_is_a_document() -> None:
    assert typeset_pdf(EMPTY).pages == 1


@pytest.mark.parametrize("markup", ["<html><br></html>", "<html>&nbsp;</html>", "<html>\x1b</html>", ""])
def test_what_is_not_well_formed_is_refused_and_the_next_document_comes(markup: str) -> None:
    with pytest.raises(ParseError):
        typeset_pdf(markup)
    assert gc.isenabled()
    assert typeset_pdf(EMPTY).pages == 1
    assert gc.isenabled()


def test_an_entity_of_the_page_reads_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    with pytest.raises(ParseError):
        typeset_pdf(f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}">]><html lang="ru"><p>&x;</p></html>')


def test_weasyprint_is_not_loaded_with_the_package() -> None:
    code = "import reports.document.typesetting, reports.document.checks, sys; sys.exit('weasyprint' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(typesetting.__file__).parents[2], timeout=30)


def test_a_missing_weasyprint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(TypesettingUnavailable, match="WeasyPrint cannot be loaded"):
        typesetting.weasyprint()


def test_the_check_is_silent_where_reports_can_be_made() -> None:
    assert check_weasyprint() == []


def test_the_check_names_the_packages_of_missing_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    (warning,) = check_weasyprint()
    assert warning.id == "reports.W001"
    assert warning.hint == f"On Debian and Ubuntu: apt-get install {' '.join(LIBRARIES.values())}"

"""What a proxy left in a request, or left out of it, before Django sees it."""

import io
import socket
import threading
from typing import Any

import pytest
from gunicorn.http.errors import ParseException

from balansity import behind_proxy
from balansity.behind_proxy import BehindProxy

MOST = 1000


def seen_by_django(environ: dict[str, Any], prefix: str = "", *, keeps_path: bool = False) -> tuple[str, bytes] | str:
    """The path and the body that the application sees, or the status where it is not asked."""
    seen: list[tuple[str, bytes]] = []
    said: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        seen.append((environ["PATH_INFO"], environ["wsgi.input"].read(length)))
        return []

    wrapped = BehindProxy(application, prefix=prefix, keeps_path=keeps_path, most_bytes=MOST)
    wrapped({"wsgi.input": io.BytesIO(), **environ}, lambda status, headers: said.append(status))
    return seen[0] if seen else said[0]


def path_of(path: str, prefix: str, *, keeps_path: bool) -> str:
    seen = seen_by_django({"PATH_INFO": path}, prefix, keeps_path=keeps_path)
    return seen if isinstance(seen, str) else seen[0]


@pytest.mark.parametrize("prefix", ["/worker", "/services/worker", "/api", "/admin"])
def test_a_proxy_that_keeps_the_path_has_it_taken_away_once(prefix: str) -> None:
    for path in ("/", "/admin/", "/api/payments", f"{prefix}/admin/", "/static/a.css"):
        assert path_of(f"{prefix}{path}", prefix, keeps_path=True) == path
    assert path_of(prefix, prefix, keeps_path=True) == "/"
    for path in ("/", f"{prefix}s/admin/", "/x/admin/", "/healthy"):
        assert path_of(path, prefix, keeps_path=True) == "404 Not Found"
    # Docker's question comes from within the container.
    assert path_of("/health", prefix, keeps_path=True) == "/health"


@pytest.mark.parametrize("path", ["/admin/", "/worker/admin/", "/worker", "/api/payments"])
def test_a_proxy_that_takes_the_path_away_cannot_be_gone_round(path: str) -> None:
    # `/worker/worker/admin/` would pass the rule for `/worker/admin/` of such a proxy.
    assert path_of(path, "/worker", keeps_path=False) == path


def test_a_path_that_arrives_although_it_should_not_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    wrapped = BehindProxy(lambda *_: [], prefix="/worker", keeps_path=False, most_bytes=MOST)
    for path in ("/workers", "/api/x", "/worker/api/x", "/worker/admin/"):
        wrapped({"PATH_INFO": path}, lambda *_: None)
    (line,) = caplog.messages
    assert line.startswith("a request came with /worker in front")
    assert "PROXY_KEEPS_PATH=true" in line


def chunked(body: bytes) -> dict[str, Any]:
    """As gunicorn hands over a body without a length: decoded, with an end."""
    return {
        "PATH_INFO": "/",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
        "wsgi.input": io.BytesIO(body),
    }


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * MOST])
def test_a_body_without_a_length_is_there_whole(body: bytes) -> None:
    assert seen_by_django(chunked(body)) == ("/", body)


def test_of_a_body_that_is_too_long_no_more_is_read_than_tells_so() -> None:
    body = io.BytesIO(b"x" * 10 * MOST)
    seen = seen_by_django(chunked(b"") | {"wsgi.input": body})
    assert seen == ("/", b"x" * (MOST + 1))
    assert body.tell() == MOST + 1


def test_a_body_with_a_length_is_left_to_django() -> None:
    body = io.BytesIO(b"abc")
    environ = {"PATH_INFO": "/", "CONTENT_LENGTH": "2", "wsgi.input_terminated": True, "wsgi.input": body}
    assert seen_by_django(environ) == ("/", b"ab")
    # A server that does not say where it ends would be read for ever.
    assert seen_by_django(chunked(b"abc") | {"wsgi.input_terminated": False}) == ("/", b"")


def test_a_body_that_breaks_off_cannot_be_read() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ParseException

    with pytest.raises(OSError, match="broke off"):
        seen_by_django(chunked(b"") | {"wsgi.input": Broken()})


def test_a_body_that_drips_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind_proxy, "BODY_SECONDS", 1.0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.02):
                theirs.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            # A byte every moment, and the timeout of a socket never comes.
            body = ours.makefile("rb")
            environ = chunked(b"") | {"gunicorn.socket": ours, "wsgi.input": body}
            seen = seen_by_django(environ)
        finally:
            over.set()
            dripping.join(10)
    assert isinstance(seen, tuple)
    assert 0 < len(seen[1]) < MOST

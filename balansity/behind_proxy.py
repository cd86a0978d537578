"""What proxies do to a request on its way, undone before Django sees it.

Some pass on the path of `API_BASE_URL`, which is none of ours, and some a body without its length (chunked), of which
Django reads nothing.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any

from gunicorn.http.errors import ParseException

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

HEALTH = "/health"
# As long as the proxies of docs/proxy.md wait for a pause; there a whole body may take longer, but they hold it back.
BODY_SECONDS = 30.0


class BehindProxy:
    """Wraps the application. `prefix` is the path of our public address, or empty.

    With `keeps_path` a request must carry it, and without, it is a part of the path like any other: what reaches us in
    one of both ways alone cannot go round a rule of the proxy for `/worker/admin/` as `/worker/worker/admin/`.
    """

    def __init__(self, application: Application, *, prefix: str, keeps_path: bool, most_bytes: int) -> None:
        self._application = application
        self._prefix = prefix.rstrip("/")
        self._keeps_path = keeps_path
        self._most_bytes = most_bytes
        self._told = False

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._prefix and not self._take_prefix(environ):
            start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return []
        if environ.get("HTTP_TRANSFER_ENCODING") and environ.get("wsgi.input_terminated"):
            read_whole(environ, self._most_bytes)
        return self._application(environ, start_response)

    def _take_prefix(self, environ: Environ) -> bool:
        """Take it from the path; tell whether the request may go on."""
        path = str(environ.get("PATH_INFO", ""))
        carries = path == self._prefix or path.startswith(f"{self._prefix}/")
        if self._keeps_path:
            if carries:
                environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
            # Who asks after our health comes from within.
            return carries or path == HEALTH or path.startswith(f"{HEALTH}/")
        if carries and not self._told:
            self._told = True
            logger.warning(
                "a request came with %s in front of its path: if the proxy passes on the path of API_BASE_URL, let it "
                "take that away, or set PROXY_KEEPS_PATH=true",
                self._prefix,
            )
        return True


def read_whole(environ: Environ, most_bytes: int) -> None:
    """Replace a body of unknown length by what is there of it, with its length.

    Of one that is too long a byte more than may be is kept, so that whoever looks at the length or reads it refuses it.
    One that breaks off, or takes too long, cannot be read.
    """
    try:
        with _ended_in_time(environ.get("gunicorn.socket")):
            body = environ["wsgi.input"].read(most_bytes + 1)
    except (OSError, ParseException):
        environ.update({"wsgi.input": _Unreadable(), "CONTENT_LENGTH": "1"})
    else:
        environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    del environ["HTTP_TRANSFER_ENCODING"]


@contextmanager
def _ended_in_time(connection: socket.socket | None) -> Iterator[None]:
    """A timeout of the socket would begin anew with every byte."""
    if connection is None:
        yield
        return
    timer = threading.Timer(BODY_SECONDS, _stop_reading, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _stop_reading(connection: socket.socket) -> None:
    with suppress(OSError):  # It is closed already.
        connection.shutdown(socket.SHUT_RD)


class _Unreadable:
    """Fails as a broken connection does."""

    def read(self, *_: int) -> bytes:
        raise OSError("the body broke off")

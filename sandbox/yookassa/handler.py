"""HTTP in front of it all: reads a request, lets the matching part answer it, and spoils the answer where asked to."""

import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.yookassa.api import KEY, Api
from sandbox.yookassa.control import Control
from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.exchange import Reply, Request, json_reply
from sandbox.yookassa.faults import Fault, FaultKind, Faults, wait_while
from sandbox.yookassa.journal import Journal
from sandbox.yookassa.pages import Pages

API, CONTROL = "/v3", "/sandbox"
_MOST_BYTES = 1024 * 1024
_WITHOUT_ANSWER = (FaultKind.SILENT, FaultKind.RESET)


class Handler(BaseHTTPRequestHandler):
    """The server makes a subclass of it with its parts."""

    api: Api
    control: Control
    pages: Pages
    faults: Faults
    journal: Journal
    ended: threading.Event

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sandbox", ""
    timeout = 60
    disable_nagle_algorithm = True
    # One packet for head and body.
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what `http.server` refuses by itself, an unknown method above all, in JSON like all the rest."""
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus.BAD_REQUEST
        error = ApiError(status, message or explain or "the request cannot be read")
        self._send(json_reply(error.to_json(), error.status))

    def log_message(self, *args: object) -> None:
        """Stay silent: `Journal` tells the calls."""

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MOST_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            error = ApiError(HTTPStatus.BAD_REQUEST, "the length of the body is missing or too large")
            self._send(json_reply(error.to_json(), error.status))
            return
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=url.path,
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            content=self.rfile.read(int(length)),
        )
        if request.path.startswith(f"{API}/"):
            self._serve_api(_below(request, API))
        elif not self._from_here(request):
            error = ApiError(HTTPStatus.FORBIDDEN, "a page of another site asks for this")
            self._send(json_reply(error.to_json(), error.status))
        elif request.path.startswith(f"{CONTROL}/"):
            self._send(self.control.answer(_below(request, CONTROL)))
        else:
            self._send(self.pages.answer(request))

    def _serve_api(self, request: Request) -> None:
        fault = self.faults.take(request.method, request.path)
        if fault is None:
            reply: Reply | None = self.api.answer(request)
        else:
            reply = self._spoil(fault, lambda: self.api.answer(request))
        # Noted before it is sent: whoever has the answer finds it in the journal.
        self.journal.note(
            method=request.method,
            path=request.path,
            key=request.headers.get(KEY.lower(), ""),
            status=reply.status if reply else 0,
            fault=fault.kind if fault else "",
        )
        if reply:
            self._send(reply)
        elif fault and fault.kind is FaultKind.RESET:
            self._reset()
        else:
            self.close_connection = True

    def _spoil(self, fault: Fault, answer: Callable[[], Reply]) -> Reply | None:
        """Return what to send instead of the answer; `None` is nothing."""
        reply = answer() if fault.after else None
        if fault.kind in (FaultKind.SLOW, FaultKind.SILENT):
            wait_while(fault.seconds, self.ended, self._client_waits)
        if fault.kind is FaultKind.SLOW:
            return reply or answer()
        return None if fault.kind in _WITHOUT_ANSWER else fault.reply()

    def _send(self, reply: Reply) -> None:
        try:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.content)
            self.wfile.flush()
        except OSError:
            # Who asked has gone meanwhile.
            self.close_connection = True

    def _reset(self) -> None:
        """Close with RST. The descriptor is taken away first: `socketserver` would say goodbye in good order."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _client_waits(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return not readable or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _from_here(self, request: Request) -> bool:
        # A page anywhere in the browser could send a form here; browsers say where it comes from.
        origin = request.headers.get("origin")
        return request.method == "GET" or origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _below(request: Request, prefix: str) -> Request:
    path = unquote(request.path.removeprefix(prefix))
    return Request(request.method, path, request.query, request.headers, request.content)

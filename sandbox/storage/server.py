"""The HTTP server of the stand-in, in threads of its own."""

import json
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.storage.faults import Fault, FaultKind, Faults
from sandbox.storage.objects import ObjectStore
from sandbox.storage.routes import Answer, Call, Routes

SERVICE_KEY = "sandbox-service-role-key"
BUCKETS = ("reports",)


@dataclass(frozen=True, slots=True)
class Request:
    """A call that arrived, without its secrets. `status` is 0 for one that got no answer."""

    method: str
    path: str
    status: int


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away in the middle are what this server is for."""


class StorageServer:
    """Supabase Storage on 127.0.0.1 with one private bucket, kept in `folder`; `port` 0 takes a free one."""

    def __init__(self, folder: Path, *, port: int = 0, service_key: str = SERVICE_KEY) -> None:
        self.service_key = service_key
        self.faults = Faults()
        self.store = ObjectStore(folder, BUCKETS)
        self.requests: list[Request] = []
        self.port = port
        self._routes = Routes(self.store, service_key)
        self._stopped = threading.Event()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """What `SUPABASE_URL` would be."""
        return f"http://127.0.0.1:{self.port}"

    def object_keys(self) -> list[str]:
        return self.store.keys(BUCKETS[0])

    def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        self._stopped.clear()
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="storage", daemon=True).start()

    def stop(self) -> None:
        """Close the port; requests that wait for an answer get none."""
        if self._server is not None:
            self._stopped.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, call: Call) -> tuple[Answer | None, FaultKind | None]:
        """What to send back, and what to do to it; without an answer the connection is all there is to end."""
        control = self._control(call)
        if control is not None:
            return control, None
        fault = self.faults.take(call.method)
        answer, kind = self._misbehave(call, fault) if fault else (self._routes.answer(call), None)
        self.requests.append(Request(call.method, call.path, answer.status if answer else 0))
        return answer, kind

    def _misbehave(self, call: Call, fault: Fault) -> tuple[Answer | None, FaultKind | None]:
        if fault.after:
            self._routes.answer(call)
        match fault.kind:
            case FaultKind.SLOW:
                self._stopped.wait(fault.seconds)
                return self._routes.answer(call), None
            case FaultKind.STATUS:
                body = {"statusCode": str(fault.status), "error": "Simulated", "message": "asked for by a fault"}
                return Answer.of(body, fault.status), None
            case FaultKind.HTML:
                return Answer(b"<html>502 Bad Gateway</html>", "text/html", 502), None
            case FaultKind.BROKEN_JSON:
                return Answer(b'{"Key": '), None
            case FaultKind.TRUNCATE:
                is_upload = call.method in ("POST", "PUT")
                return self._routes.answer(call, truncate=True), None if is_upload else FaultKind.TRUNCATE
            case FaultKind.SILENT | FaultKind.RESET:
                return None, fault.kind

    def wait_for_end(self) -> None:
        """Hold a request open without an answer, until the server stops."""
        self._stopped.wait()

    def _control(self, call: Call) -> Answer | None:
        """The addresses that only a sandbox has: other processes ask for faults and see what arrived."""
        match call.method, call.path:
            case "POST", "/sandbox/faults":
                try:
                    self.faults.add(Fault.parse(json.loads(call.body)))
                except ValueError as error:
                    return Answer.of({"error": str(error)}, 400)
                return Answer.of({}, 201)
            case "DELETE", "/sandbox/faults":
                self.faults.clear()
                return Answer.of({})
            case "GET", "/sandbox/requests":
                return Answer.of([[one.method, one.path, one.status] for one in self.requests])
            case _:
                return None


def _handler(server: StorageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An idle connection of a pool must not hold its thread for ever.
        timeout = 60

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length") or 0))
            answer, fault = server.answer(Call(self.command, self.path, headers, body))
            if answer is None:
                self._end(fault)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Cache-Control", answer.cache_control)
            self.end_headers()
            if fault is FaultKind.TRUNCATE:
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.close_connection = True
            elif self.command != "HEAD":
                self.wfile.write(answer.body)

        do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # The names are http.server's.

        def _end(self, fault: FaultKind | None) -> None:
            if fault is FaultKind.SILENT:
                server.wait_for_end()
            else:
                # Closing with unsent data pending and no patience is what makes a reset of it.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep quiet: the requests are listed in `StorageServer.requests`."""

    return Handler

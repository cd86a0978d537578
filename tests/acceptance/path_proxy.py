"""A proxy as some are: it takes a path away, says whom it saw with a port, and passes on bodies without a length."""

import threading
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import requests

_OF_ONE_CONNECTION = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive", "host"})


class PathProxy:
    """Serves what lies under `prefix` from the web process on `port`; all else is somebody else's, and 418."""

    def __init__(self, port: int, prefix: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                _pass_on(self, port, prefix)

            do_POST = do_OPTIONS = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def _pass_on(handler: BaseHTTPRequestHandler, port: int, prefix: str) -> None:
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    if not handler.path.startswith(f"{prefix}/"):
        handler.send_response(418)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    headers = {name: value for name, value in handler.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
    client, client_port = handler.client_address
    headers |= {"Host": handler.headers["Host"], "X-Forwarded-Proto": "https"}
    headers["X-Forwarded-For"] = f"{headers.get('X-Forwarded-For', '203.0.113.9')}, {client}:{client_port}"
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    # Of an iterator nobody knows the length: it goes out in chunks.
    connection.request(handler.command, handler.path[len(prefix) :], iter([body]) if body else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    handler.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in _OF_ONE_CONNECTION:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
    connection.close()


class Browser:
    """Calls `host` through a proxy. Cookies are kept as browsers do: each goes back to its own path alone."""

    def __init__(self, proxy: PathProxy, host: str) -> None:
        self._proxy, self._host = proxy, host
        self.cookies: dict[str, tuple[str, str]] = {}

    def call(self, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> requests.Response:
        sent = "; ".join(f"{name}={value}" for name, (value, at) in self.cookies.items() if path.startswith(at))
        usual = {"Host": self._host, "Cookie": sent, **headers}
        if form is not None:
            usual |= {"Origin": f"https://{self._host}", "Referer": f"https://{self._host}{path}"}
        answer = requests.request(
            method, f"{self._proxy.address}{path}", data=form, headers=usual, timeout=60, allow_redirects=False
        )
        for line in answer.raw.headers.getlist("Set-Cookie"):
            for name, cookie in SimpleCookie(line).items():
                assert cookie["secure"]
                self.cookies[name] = (cookie.value, cookie["path"])
        return answer

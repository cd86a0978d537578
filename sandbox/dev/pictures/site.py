"""The service on a port of this process: the time that stands still here stands still there, too."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    # A browser opens connections that it sends nothing through.
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *message: Any) -> None:
        """Nobody reads them."""


@contextmanager
def serve(session_key: str) -> Iterator[str]:
    """Serve to somebody who is logged in with that session; yields the address.

    The cookie is added here: in the browser, whose clock goes on, it would have expired.
    """
    with serving(logged_in(get_wsgi_application(), session_key)) as address:
        yield address


@contextmanager
def serving(application: Application) -> Iterator[str]:
    """Serve an application to a browser, from threads of this process; yields the address."""
    with make_server("127.0.0.1", 0, application, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def logged_in(application: Application, session_key: str) -> Application:
    """Put the session's cookie on each request of the admin; the shop's customers have tokens."""

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/admin/"):
            environ["HTTP_COOKIE"] = f"{settings.SESSION_COOKIE_NAME}={session_key}"
        return application(environ, start_response)

    return answer

"""The stand-in for YooKassa, asked without a socket by who is in the same process and has nobody beside.

It gets the bytes and the headers that `Transport` would send, and its answer goes the way of any other. A socket, two
threads and HTTP read twice cost more than what both sides do with a payment, and are shown where they are the subject:
by the client's own tests, wherever an answer fails or threads ask at once, and by each process of its own.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from requests.structures import CaseInsensitiveDict

from payments.yookassa.answers import Answer
from payments.yookassa.errors import Trouble, Unavailable
from payments.yookassa.transport import Transport, _written
from sandbox.yookassa import YooKassaServer
from sandbox.yookassa.exchange import Request


@contextmanager
def near(server: YooKassaServer) -> Iterator[None]:
    """Let this thread ask the server itself."""
    execute, here = Transport.execute, threading.current_thread()

    def execute_here(
        self: Transport,
        body: Mapping[str, Any] | None,
        method: str,
        path: str,
        query_params: Mapping[str, str] | None,
        request_headers: Mapping[str, str],
    ) -> Answer:
        if self.endpoint == server.api_url and threading.current_thread() is here:
            content = b"" if body is None else _written(body)
            headers = {name.lower(): value for name, value in request_headers.items()}
            try:
                reply = server.answer(Request(method, path, dict(query_params or {}), headers, content))
            except Exception as error:
                # There, the thread of the server would end, and with it the connection.
                reason = "the connection failed (ConnectionError)"
                raise Unavailable(reason, method != "GET", trouble=Trouble.NOT_REACHED) from error
            if reply is not None:
                return Answer(int(reply.status), CaseInsensitiveDict(reply.headers), reply.content)
        return execute(self, body, method, path, query_params, request_headers)

    with mock.patch.object(Transport, "execute", execute_here):
        yield

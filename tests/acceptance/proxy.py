"""A way to the broker that stops at a chosen command, so that a process can be killed at that very instant."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 65536


class HoldingProxy:
    """Passes everything to a TCP server on 127.0.0.1 until a client sends `command`; that, and all later, it keeps.

    `held` is set once the command came. Answers pass all the time.
    """

    def __init__(self, port: int, command: bytes) -> None:
        self.held = threading.Event()
        self._target, self._command = port, command
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets = [self._listening]
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection; what was kept never arrives."""
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # Closed by its peer already.
            finally:
                sock.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target), timeout=10)
            server.settimeout(None)
            self._sockets += [client, server]
            self._run(lambda client=client, server=server: self._pass(client, server, held_back=True))  # type: ignore[misc]
            self._run(lambda client=client, server=server: self._pass(server, client, held_back=False))  # type: ignore[misc]

    def _pass(self, source: socket.socket, target: socket.socket, *, held_back: bool) -> None:
        recent = b""
        while True:
            try:
                data = source.recv(CHUNK)
            except OSError:
                return
            if not data:
                return
            # A command may arrive in two pieces.
            recent = recent[-len(self._command) :] + data
            if held_back and self._command in recent:
                self.held.set()
            if held_back and self.held.is_set():
                continue
            try:
                target.sendall(data)
            except OSError:
                return

    def _run(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

"""TLS in front of a server that speaks none, as hosting companies put it in front of Redis."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 65536


@contextmanager
def tls_relay(to_port: int, certificate: tuple[Path, Path], host: str = "127.0.0.1") -> Iterator[int]:
    """Yield a port on `host` that ends TLS with `certificate` and passes on to `to_port` of this machine."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    with socket.create_server((host, 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, context, to_port), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Wakes the thread that waits for the next connection.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _accept(listener: socket.socket, context: ssl.SSLContext, to_port: int) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(plain, context, to_port), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, to_port: int) -> None:
    with plain:
        plain.settimeout(10)
        try:
            client = context.wrap_socket(plain, server_side=True)
        except OSError:
            # It does not believe the certificate.
            return
        with client, socket.create_connection(("127.0.0.1", to_port), timeout=10) as server:
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join(10)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    # The other direction waits for a peer that has nothing more to say.
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

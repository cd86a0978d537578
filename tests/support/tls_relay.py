"""TLS in front of a server that speaks none, as hosting companies put it in front of Redis."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 65536


@contextmanager
def tls_relay(
    to_port: int, certificate: tuple[Path, Path], host: str = "127.0.0.1", *, believes: Path | None = None
) -> Iterator[int]:
    """Yield a port on `host` that ends TLS with `certificate` and passes on to `to_port` of this machine.

    Clients must show a certificate of the authorities in `believes`, if that is given, and are told what it lacks.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=believes)
    context.load_cert_chain(*certificate)
    if believes is not None:
        context.verify_mode = ssl.CERT_REQUIRED
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
        with (
            client,
            socket.create_connection(("127.0.0.1", to_port), timeout=10) as server,
            contextlib.suppress(OSError),
        ):
            _pass_on(client, server)


def _pass_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Both directions in one thread: a TLS socket is not made to be read by one while another writes."""
    while True:
        # What was decrypted already makes no socket readable.
        ready = [client] if client.pending() else select.select([client, server], [], [], 10)[0]
        for source in ready:
            chunk = source.recv(_CHUNK)
            if not chunk:
                return
            (server if source is client else client).sendall(chunk)
        if not ready:
            return

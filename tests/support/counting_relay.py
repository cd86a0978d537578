"""A listener in front of a server that counts who knocks."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, connections

_CHUNK = 65536


@dataclass
class Relay:
    """Where it listens, how many connections came, and how often their clients said something."""

    port: int
    connections: int = 0
    said: int = 0


@contextmanager
def counting_relay(to_port: int) -> Iterator[Relay]:
    """Yield a relay on 127.0.0.1 that passes everything on to `to_port` of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener.getsockname()[1])
        serving: list[threading.Thread] = []
        thread = threading.Thread(target=_accept, args=(listener, relay, to_port, serving), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            # Wakes the thread that waits for the next connection.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for each in (thread, *serving):
                each.join(10)


@contextmanager
def before_postgres(**otherwise: str) -> Iterator[Relay]:
    """Let Django reach its Postgres through a relay, and by a setting of the connection that is `otherwise`."""
    settings = connection.settings_dict
    changed = {"HOST": "127.0.0.1", **otherwise}
    before = {name: settings[name] for name in ("PORT", *changed)}
    connections.close_all()
    with counting_relay(int(settings["PORT"])) as relay:
        settings.update(changed, PORT=str(relay.port))
        try:
            yield relay
        finally:
            connections.close_all()
            settings.update(before)


def _accept(listener: socket.socket, relay: Relay, to_port: int, serving: list[threading.Thread]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        relay.connections += 1
        thread = threading.Thread(target=_serve, args=(client, relay, to_port), daemon=True)
        serving.append(thread)
        thread.start()


def _serve(client: socket.socket, relay: Relay, to_port: int) -> None:
    """Both directions, until either side has no more to say."""
    with client, socket.create_connection(("127.0.0.1", to_port), timeout=10) as server, contextlib.suppress(OSError):
        while True:
            for source in select.select([client, server], [], [], 10)[0]:
                chunk = source.recv(_CHUNK)
                if not chunk:
                    return
                relay.said += source is client
                (server if source is client else client).sendall(chunk)

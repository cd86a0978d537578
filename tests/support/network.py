"""Keeps the tests on this machine: a connection to anywhere else fails at once, and says where it went."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

# A public address, and a domain that mail is sent from, for whoever enters `known_names`.
PUBLIC, SENDER = "api.balansity.test", "mail.balansity.test"


class NetworkForbidden(OSError):
    """A test tried to leave the machine."""


@contextmanager
def only_this_machine() -> Iterator[None]:
    """Refuse names and addresses of other machines to everything in this process that uses Python's sockets."""
    resolve = socket.getaddrinfo
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def checked_resolve(host: Any, *args: Any, **options: Any) -> Any:
        _check(host)
        return resolve(host, *args, **options)

    def checked_connect(sock: socket.socket, address: Any) -> None:
        _check_address(sock, address)
        connect(sock, address)

    def checked_connect_ex(sock: socket.socket, address: Any) -> int:
        _check_address(sock, address)
        return connect_ex(sock, address)

    with (
        mock.patch.object(socket, "getaddrinfo", checked_resolve),
        mock.patch.object(socket.socket, "connect", checked_connect),
        mock.patch.object(socket.socket, "connect_ex", checked_connect_ex),
    ):
        yield


def _check_address(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        _check(address[0])


def _check(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return
    try:
        local = ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NetworkForbidden(f"a test may not leave this machine, and this one wants to reach {name}")


@contextmanager
def known_names(*names: str) -> Iterator[None]:
    """Let names of the internet lead to this machine, as /etc/hosts does, and no other below `.test` exist."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **options: Any) -> Any:
        if host in names:
            return resolve("127.0.0.1", *args, **options)
        if isinstance(host, str) and host.endswith(".test"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **options)

    with mock.patch.object(socket, "getaddrinfo", resolved):
        yield

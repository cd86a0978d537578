import socket

import pytest

from tests.support.network import NetworkForbidden


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1"])
def test_a_connection_to_another_machine_fails_at_once(address: str) -> None:
    with socket.socket() as sock, pytest.raises(NetworkForbidden, match=address):
        sock.connect((address, 80))


def test_the_name_of_another_machine_is_not_looked_up() -> None:
    with pytest.raises(NetworkForbidden, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)


def test_this_machine_can_be_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as to,
    ):
        assert to.getpeername() == server.getsockname()

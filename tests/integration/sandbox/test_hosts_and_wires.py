"""What the benchmarks of growth stand on: hosts that are told apart, and a way between them that takes its time."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.bench.growth.hosts import three_hosts
from sandbox.services.wire import Wire

ASK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"


@pytest.fixture
def echo() -> Iterator[int]:
    """A port of 127.0.0.1 where everything is answered with itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            while data := client.recv(65536):
                client.sendall(data)


def test_a_wire_takes_its_time_counts_round_trips_and_loses_nothing(tmp_path: Path, echo: int) -> None:
    wire = Wire(tmp_path, "echo", to=echo)
    wire.start()
    try:
        with socket.create_connection((wire.host, wire.port), timeout=10) as client, client.makefile("rb") as answers:
            for number in range(3):
                client.sendall(b"%d\n" % number)
                assert answers.readline() == b"%d\n" % number
            before = wire.counted()
            assert (before.connections, before.turns, before.to_server) == (1, 3, 6)
            wire.lengthen(50)
            began = time.monotonic()
            client.sendall(b"later\n")
            assert answers.readline() == b"later\n"
            assert time.monotonic() - began >= 0.1
            # A shorter way lets nothing overtake.
            client.sendall(b"first\n")
            wire.lengthen(0)
            client.sendall(b"second\n")
            assert [answers.readline(), answers.readline()] == [b"first\n", b"second\n"]
            assert wire.counted().since(before).from_server == len(b"later\nfirst\nsecond\n")
    finally:
        wire.stop()


def test_a_wire_that_is_started_again_listens_where_it_did(tmp_path: Path, echo: int) -> None:
    wire = Wire(tmp_path, "echo", to=echo)
    wire.start()
    port = wire.port
    wire.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((wire.host, port), timeout=5)
    wire.start()
    socket.create_connection((wire.host, port), timeout=5).close()
    assert wire.port == port
    wire.stop()


def test_three_hosts_reach_one_another_and_nothing_of_them_is_left() -> None:
    with three_hosts() as hosts, socket.create_server((hosts.supabase.address, 0)) as server:
        port = server.getsockname()[1]
        assert len({hosts.supabase.address, hosts.office.address, hosts.workshop.address}) == 3
        for host in (hosts.office, hosts.workshop):
            asked = [*host.inside, sys.executable, "-c", ASK, hosts.supabase.address, str(port)]
            assert subprocess.run(asked, timeout=30, check=False).returncode == 0, hosts.way
        if hosts.office.inside:
            # What listens on a host's own loopback is out of reach for the others.
            with socket.create_server(("127.0.0.1", 0)) as own:
                asked = [*hosts.office.inside, sys.executable, "-c", ASK, "127.0.0.1", str(own.getsockname()[1])]
                assert subprocess.run(asked, timeout=30, stderr=subprocess.DEVNULL, check=False).returncode != 0
    assert _names() == set()


def test_without_root_three_addresses_of_one_host_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with three_hosts() as hosts:
        assert [hosts.supabase.inside, hosts.office.inside, hosts.workshop.inside] == [(), (), ()]
        assert {host.address for host in (hosts.office, hosts.workshop)} == {"127.0.0.2", "127.0.0.3"}
        assert "not allowed" in hosts.way


def _names() -> set[str]:
    """Of network interfaces that this process has made; others may come and go."""
    number = os.getpid() % 250
    return {name for _, name in socket.if_nameindex() if name.startswith((f"bal{number}e", f"balbr{number}"))}

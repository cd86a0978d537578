"""A way to a TCP server that is as far away as it is told, counts who asks how often, and may speak TLS.

The kernel's own delay (`tc … netem`) is not in every kernel, so this program keeps each piece of data back for its
time. What travels is not slowed down beyond that: a far server is late, and not narrow. TLS ends here, as it does in
front of many servers that one rents.
"""

import argparse
import asyncio
import mmap
import ssl
import struct
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.packages import CHECKOUT
from sandbox.services.authority import Identity
from sandbox.services.process import Service

# Shared with whoever started the program: the microseconds of one direction, which may change at any time, the port and
# whether somebody listens there, and what is counted.
_DELAY, _PORT, _READY, _CONNECTIONS, _TURNS, _TO_SERVER, _FROM_SERVER = range(7)
_WORD = struct.Struct("Q")


@dataclass(frozen=True, slots=True)
class Counted:
    """Since the wire was laid. A turn is a question after an answer: what a client waits for before it goes on."""

    connections: int
    turns: int
    to_server: int
    from_server: int

    def since(self, earlier: "Counted") -> "Counted":
        return Counted(
            self.connections - earlier.connections,
            self.turns - earlier.turns,
            self.to_server - earlier.to_server,
            self.from_server - earlier.from_server,
        )


class Wire:
    """The program, as a process in `folder`. It listens on `host` and passes on to the port `to` of `to_host`.

    With an identity `shows` it speaks TLS, and lets in only those whose certificate the authorities in `believes` know,
    if that is given. `inside` are words before its command, of a program that runs it elsewhere. Started again, it
    listens where it did.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        to: int,
        to_host: str = "127.0.0.1",
        host: str = "127.0.0.1",
        inside: tuple[str, ...] = (),
        shows: Identity | None = None,
        believes: Path | None = None,
    ) -> None:
        self.host, self.shows, self.believes = host, shows, believes
        self._to, self._inside = (to_host, str(to)), inside
        self._service = Service(f"wire-{name}", folder)
        self._file = folder / f"wire-{name}.counted"
        self._shared = _Shared(self._file)

    @property
    def port(self) -> int:
        return self._shared.read(_PORT)

    def start(self) -> None:
        program = [sys.executable, "-m", __name__, self.host, *self._to, str(self._file), "--port", str(self.port)]
        if self.shows:
            program += ["--shows", str(self.shows.certificate), str(self.shows.key)]
        if self.believes:
            program += ["--believes", str(self.believes)]
        self._service.start([*self._inside, *program], self._listens, cwd=CHECKOUT)

    def stop(self) -> None:
        """Also what is underway is lost."""
        self._service.stop()
        self._shared.set(_READY, 0)

    def _listens(self) -> bool:
        return self._shared.read(_READY) > 0

    def lengthen(self, milliseconds: float) -> None:
        """Let each direction take so long from now on."""
        self._shared.set(_DELAY, round(milliseconds * 1000))

    def counted(self) -> Counted:
        return Counted(*(self._shared.read(place) for place in (_CONNECTIONS, _TURNS, _TO_SERVER, _FROM_SERVER)))


class _Shared:
    """The numbers, as both sides see them. Only the program itself counts."""

    def __init__(self, file: Path) -> None:
        size = _WORD.size * (_FROM_SERVER + 1)
        if not file.exists():
            file.write_bytes(bytes(size))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), size)

    @property
    def delay(self) -> float:
        """Seconds of one direction."""
        return self.read(_DELAY) / 1_000_000

    def read(self, place: int) -> int:
        return int(_WORD.unpack_from(self._memory, _WORD.size * place)[0])

    def set(self, place: int, value: int) -> None:
        _WORD.pack_into(self._memory, _WORD.size * place, value)

    def add(self, place: int, number: int) -> None:
        self.set(place, self.read(place) + number)


class _Direction:
    """What is on its way in one direction, in order: a shorter delay lets nothing overtake."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._underway: deque[bytes | None] = deque()
        self._latest = 0.0
        self.target: asyncio.Transport | None = None

    def send(self, data: bytes | None) -> None:
        """`None` is the end."""
        self._latest = max(self._loop.time() + self._shared.delay, self._latest)
        self._underway.append(data)
        self._loop.call_at(self._latest, self._deliver)

    def open(self, target: asyncio.Transport) -> None:
        """Deliver what arrived before there was somebody to take it."""
        self.target = target
        waiting, self._underway = self._underway, deque()
        for data in waiting:
            self.send(data)

    def _deliver(self) -> None:
        # Of what waited for the target, there are timers from before: the queue alone knows what comes next.
        if self.target is None or not self._underway:
            return
        data = self._underway.popleft()
        if data is None:
            self.target.close()
        elif not self.target.is_closing():
            self.target.write(data)


class _Client(asyncio.Protocol):
    """A connection that came, and the one to the server that belongs to it."""

    def __init__(self, shared: _Shared, to: tuple[str, int]) -> None:
        self._shared, self._to = shared, to
        self._there, self._back = _Direction(shared), _Direction(shared)
        self._asked = False
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._shared.add(_CONNECTIONS, 1)
        self._back.target = transport
        self._opening = asyncio.get_running_loop().create_task(self._open())

    def data_received(self, data: bytes) -> None:
        self._shared.add(_TO_SERVER, len(data))
        if not self._asked:
            self._shared.add(_TURNS, 1)
        self._asked = True
        self._there.send(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._there.send(None)

    def answered(self, data: bytes | None) -> None:
        if data is not None:
            self._shared.add(_FROM_SERVER, len(data))
            self._asked = False
        self._back.send(data)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        # To open a connection is a round trip of its own.
        await asyncio.sleep(2 * self._shared.delay)
        try:
            transport, _ = await loop.create_connection(lambda: _Server(self), *self._to)
        except OSError:
            self._back.send(None)
        else:
            self._there.open(transport)


class _Server(asyncio.Protocol):
    def __init__(self, client: _Client) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.answered(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._client.answered(None)


async def _serve(asked: argparse.Namespace) -> None:
    shared, to = _Shared(asked.file), (asked.to_host, asked.to_port)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Client(shared, to), asked.host, asked.port, ssl=_encrypted(asked)
    )
    shared.set(_PORT, server.sockets[0].getsockname()[1])
    shared.set(_READY, 1)
    await server.serve_forever()


def _encrypted(asked: argparse.Namespace) -> ssl.SSLContext | None:
    if not asked.shows:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=asked.believes)
    context.load_cert_chain(*asked.shows)
    if asked.believes:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("to_host")
    parser.add_argument("to_port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shows", nargs=2)
    parser.add_argument("--believes")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))

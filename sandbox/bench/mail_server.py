"""A mail server for measurements, as a process: it takes every mail, keeps none, and lets each answer wait if told so.

`python -m sandbox.bench.mail_server --delay 0.02` answers each command 0.02 s after it came, as a server that is so far
away does: answers to commands that came together come together. It announces `PIPELINING` (RFC 2920), as Postfix, Exim
and the large providers do, unless `--plain`.
"""

import argparse
import asyncio
import re
from collections import deque

END = b"\r\n.\r\n"
_VERB = re.compile(rb"[A-Za-z]+")
_ANSWERS = {b"MAIL": b"250 OK", b"RCPT": b"250 OK", b"RSET": b"250 OK", b"NOOP": b"250 OK", b"DATA": b"354 Go on"}


class Conversation(asyncio.Protocol):
    """One connection. Bodies are looked at for their end alone."""

    taken = 0

    def __init__(self, delay: float, *, pipelining: bool) -> None:
        self._delay, self._pipelining = delay, pipelining
        self._waiting: deque[bytes] = deque()
        self._got, self._in_body = b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # TCP is.
        self._transport = transport
        self._answer(b"220 bench ESMTP")

    def data_received(self, data: bytes) -> None:
        self._got += data
        while self._got:
            if self._in_body:
                if END not in self._got:
                    return
                _, _, self._got = self._got.partition(END)
                self._in_body = False
                Conversation.taken += 1
                self._answer(b"250 2.0.0 Taken as %d" % Conversation.taken)
            else:
                line, ended, rest = self._got.partition(b"\r\n")
                if not ended:
                    return
                self._got = rest
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        found = _VERB.match(line)
        verb = found[0].upper() if found else b""
        if verb == b"EHLO":
            self._answer(b"250-bench\r\n250-8BITMIME\r\n" + b"250-PIPELINING\r\n" * self._pipelining + b"250 SMTPUTF8")
        elif verb == b"QUIT":
            self._answer(b"221 Bye")
        else:
            self._in_body = verb == b"DATA"
            self._answer(_ANSWERS.get(verb, b"502 What?"))

    def _answer(self, text: bytes) -> None:
        if not self._delay:
            self._transport.write(text + b"\r\n")
            return
        self._waiting.append(text + b"\r\n")
        asyncio.get_running_loop().call_later(self._delay, lambda: self._transport.write(self._waiting.popleft()))


async def serve(delay: float, *, pipelining: bool) -> None:
    """Listen on a free port of 127.0.0.1, say which, and serve until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(delay, pipelining=pipelining), "127.0.0.1", 0)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--plain", action="store_true")
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.delay, pipelining=not chosen.plain))

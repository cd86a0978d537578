"""Requests that arrive when they arrive, whether the server keeps up or not.

A closed loop asks again when it was answered, so a server that stalls is asked less and looks better than it is. Here
the times are drawn beforehand, and a request that had to wait for anything waited since its time.
"""

import asyncio
import random
from collections.abc import Sequence

ANSWER_SECONDS = 30.0


def arrivals(rate: float, seconds: float) -> list[float]:
    """Seconds from the start at which requests arrive that know nothing of each other, `rate` a second on average."""
    times, at = [], random.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += random.expovariate(rate)
    return times


def send(port: int, requests: Sequence[bytes], times: Sequence[float]) -> list[float]:
    """Send each request at its time over a connection of its own; returns the milliseconds until its answer ended.

    Ends the benchmark with a message when one is not answered with 200.
    """
    return asyncio.run(_send(port, requests, times))


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


async def _send(port: int, requests: Sequence[bytes], times: Sequence[float]) -> list[float]:
    started = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        pending = [
            group.create_task(_ask(port, request, started + at)) for request, at in zip(requests, times, strict=True)
        ]
    return [task.result() for task in pending]


async def _ask(port: int, request: bytes, due: float) -> float:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(due - clock())
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        done = clock()
        writer.close()
        await writer.wait_closed()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"not answered with 200: {answer[:200]!r}")
    return (done - due) * 1000

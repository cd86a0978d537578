"""The same work for those whose workers are one process with an event loop; two of it at once, as everywhere."""

import asyncio
import os
import time

import effect
import psycopg

_two = asyncio.Semaphore(2)
_waiting = []


async def work(number, ms, write):
    """No wait, no row: then there is nothing to count two of, and nothing of ours in the way."""
    if not ms and not write:
        return
    async with _two:
        started_at = time.time()
        await asyncio.sleep(ms / 2000)
        if write:
            connection = _waiting.pop() if _waiting else await _connect()
            await connection.execute(effect.INSERT, [number, os.getpid(), started_at])
            _waiting.append(connection)
        await asyncio.sleep(ms / 2000)


async def _connect():
    return await psycopg.AsyncConnection.connect(os.environ["PEER_DATABASE_URL"], autocommit=True)

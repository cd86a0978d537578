"""pgqueuer on asyncpg, as its documents begin: `pgqueuer_app.py worker`, or its producer.

Its own `pgqueuer.run` and not its command line, which fails on its `--log-level` with the newest typer.
"""

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pgqueuer
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sender import serve

URL = os.environ["PEER_DATABASE_URL"]


@asynccontextmanager
async def main():
    connection = await asyncpg.connect(URL)
    pgq = PgQueuer(AsyncpgDriver(connection))
    # On the driver that is there anyway: this environment has no other.
    writers, two = await asyncpg.create_pool(URL, min_size=0, max_size=2), asyncio.Semaphore(2)

    @pgq.entrypoint("work")
    async def work(job):
        asked = json.loads(job.payload)
        if asked["ms"] or asked["write"]:
            async with two:
                await _work(writers, **asked)

    yield pgq


async def _work(writers, number, ms, write):
    started_at = time.time()
    await asyncio.sleep(ms / 2000)
    if write:
        insert = "INSERT INTO peer_effect (number, pid, started_at) VALUES ($1, $2, $3)"
        await writers.execute(insert, number, os.getpid(), started_at)
    await asyncio.sleep(ms / 2000)


async def _produce():
    loop, connection = asyncio.get_running_loop(), await asyncpg.connect(URL)
    queries = Queries(AsyncpgDriver(connection))

    async def send(numbers, ms, write):
        payloads = [json.dumps({"number": n, "ms": ms, "write": write}).encode() for n in numbers]
        await queries.enqueue(["work"] * len(payloads), payloads, [0] * len(payloads))

    def wait(*asked):
        asyncio.run_coroutine_threadsafe(send(*asked), loop).result()

    await asyncio.to_thread(serve, wait)


def _work_for_ever():
    lease = int(os.environ.get("PEER_LEASE", "0"))
    options = {}
    if lease:
        # An empty look is worth a sleep, and what was killed is found at the next look.
        options = dict.fromkeys(("heartbeat_timeout", "dequeue_timeout"), timedelta(seconds=lease))
    asyncio.run(pgqueuer.run(main, **options))


if __name__ == "__main__":
    _work_for_ever() if sys.argv[1:] == ["worker"] else asyncio.run(_produce())

"""procrastinate, asynchronous as its documents begin, with its recipe for jobs of workers that died."""

import os

import effect_async
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from sender import serve

LEASE = int(os.environ.get("PEER_LEASE", "0"))
URL = os.environ["PEER_DATABASE_URL"]

app = App(connector=PsycopgConnector(conninfo=URL))
if LEASE:
    app.worker_defaults = {"update_heartbeat_interval": LEASE / 3, "stalled_worker_timeout": LEASE}


@app.task(name="work", queue="peer")
async def work(number, ms, write):
    await effect_async.work(number, ms, write)


if LEASE:

    @app.periodic(cron="* * * * * */5")
    @app.task(name="retry_stalled_jobs", queueing_lock="retry_stalled_jobs", pass_context=True)
    async def retry_stalled_jobs(context, timestamp):
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=LEASE)
        for job in stalled:
            await app.job_manager.retry_job(job)


def _send(numbers, ms, write):
    producer.configure_task("work", queue="peer").batch_defer(
        *({"number": number, "ms": ms, "write": write} for number in numbers)
    )


if __name__ == "__main__":
    producer = App(connector=SyncPsycopgConnector(conninfo=URL))
    with producer.open():
        serve(_send)

"""What a mail costs, from a backlog to its row and archive, against a bare Celery task that renders and sends the same.

Mails about payments that were made here, each to a customer of its own, as production sends most. The mail server is a
process of its own (`sandbox.bench.mail_server`) that answers at once, or each command 20 ms after it came. One worker
with two children, its commits synced as in production. Bare Celery: acks_late, two children of the very same worker,
`render_email` of the same request, Django's `send_mail`, one insert of the same row.

Measured a mail: processor time of the worker with its children, of the bridge and of Postgres with all its backends;
WAL records (without full-page images, see `sandbox.bench.usage`) against the bytes of the mail's row and of the
message in its archive, as they are stored; statements that reach Postgres. The work itself, which the worker's time is
compared with, is rendering and Django's own way of sending over one kept connection, alone in a process.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from celery import current_app
from django.db import transaction

from balansity.processes import WORKER, for_python
from sandbox.bench.options import at_least
from sandbox.bench.report import Figure, show
from sandbox.bench.rig import ANY_LEFT, Rig, await_empty, await_true, execute, install_trigger, rig, value
from sandbox.bench.seeding import MAIL_QUEUE, address, make_customers, make_payments, payment_id
from sandbox.bench.usage import Meter, statements_logged
from sandbox.packages import CHECKOUT
from sandbox.probe.mails import body_of

BACKLOG, ROUNDS = 2_000, 3
SLOW_SECONDS = 0.02
COUNTED = 100
LOOK_SECONDS = 0.02
TASK, LINE = "probe.bare_mail", "bare_mail"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one backlog: mails a second, milliseconds of processor time a mail, WAL and stored bytes a mail."""

    rate: float
    worker: float
    bridge: float
    postgres: float
    wal: float = 0.0
    images: float = 0.0
    stored: float = 0.0


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench mail", description=__doc__)
    # The work by itself is measured with half of them.
    parser.add_argument("--mails", type=at_least(2), default=BACKLOG, help="in a backlog (default: %(default)s)")
    parser.add_argument("--rounds", type=at_least(1), default=ROUNDS, help="default: %(default)s")
    parser.add_argument(
        "--slow", type=at_least(0), help="so many of them before the slow server (default: all); 0: leave it out"
    )
    parser.add_argument("--plain", action="store_true", help="mail servers that announce no PIPELINING")
    chosen = parser.parse_args(words)
    if chosen.slow is None:
        chosen.slow = chosen.mails
    if chosen.slow > chosen.mails:
        parser.error(f"--slow {chosen.slow} is more than a backlog has: raise --mails {chosen.mails}")
    return chosen


def run(options: Sequence[str] = ()) -> bool:
    """Ours and bare Celery take turns, with a quick and with a slow mail server."""
    chosen = read_options(options)
    slow = chosen.slow
    costs: dict[tuple[str, float], list[Cost]] = {}
    with rig("mail", EMAIL_HOURLY_LIMIT="1000000") as built:
        make_customers(chosen.mails)
        make_payments(chosen.mails, chosen.mails)
        install_trigger(MAIL_QUEUE)
        execute("VACUUM (ANALYZE)")
        bodies = [
            json.dumps(body_of(str(payment_id(number)), to=address(1 + number % chosen.mails)))
            for number in range(1, chosen.mails + 1)
        ]
        work, trips = [], 0.0
        for delay, mails in ((0.0, chosen.mails), (SLOW_SECONDS, slow)):
            if not mails:
                continue
            with _mail_server(delay, plain=chosen.plain) as port, _Bench(built, port) as bench:
                if not delay:
                    bench.ours(bodies[:COUNTED])
                    trips = bench.count_statements(bodies[:COUNTED])
                bench.bare(bodies[:COUNTED])
                for number in range(1, chosen.rounds + 1):
                    if not delay:
                        work.append(_work_alone(port, chosen.mails // 2))
                        print(f"round {number}: rendering and sending alone {work[-1]:.2f} ms", flush=True)
                    for kind, measure in (("ours", bench.ours), ("bare", bench.bare)):
                        cost = measure(bodies[:mails])
                        costs.setdefault((kind, delay), []).append(cost)
                        print(f"round {number}, {delay * 1000:g} ms, {kind}: {_told(cost)}", flush=True)
    return show("mail", [*_figures(costs, work, trips, slow=bool(slow))], notes=_notes(chosen, slow))


def _figures(
    costs: dict[tuple[str, float], list[Cost]], work: list[float], trips: float, *, slow: bool
) -> Iterator[Figure]:
    def rounds(kind: str, read: Callable[[Cost], float], delay: float = 0.0) -> list[float]:
        return [read(cost) for cost in costs[kind, delay]]

    worker = rounds("ours", lambda cost: cost.worker)
    wal, stored = rounds("ours", lambda cost: cost.wal), rounds("ours", lambda cost: cost.stored)
    yield Figure.of("rendering and sending alone, processor time", work, "ms a mail")
    yield Figure.of("worker, processor time", worker, "ms a mail")
    yield Figure.ratio("worker / rendering and sending alone", worker, work, most=1.6)
    yield Figure.of("bridge, processor time", rounds("ours", lambda cost: cost.bridge), "ms a mail")
    yield Figure.of("Postgres, processor time", rounds("ours", lambda cost: cost.postgres), "ms a mail", most=1.2)
    yield Figure.of("bare Celery: worker, processor time", rounds("bare", lambda cost: cost.worker), "ms a mail")
    yield Figure.of("bare Celery: Postgres, processor time", rounds("bare", lambda cost: cost.postgres), "ms a mail")
    yield Figure("statements that reach Postgres", trips, "a mail")
    yield Figure.of("WAL, records", wal, "bytes a mail")
    yield Figure.of("WAL, full-page images", rounds("ours", lambda cost: cost.images), "bytes a mail")
    yield Figure.of("row and archive as stored", stored, "bytes a mail")
    yield Figure.ratio("WAL / row and archive", wal, stored, most=1.5)
    for delay, least in ((0.0, 1.0), (SLOW_SECONDS, 1.8)) if slow else ((0.0, 1.0),):
        ours, bare = (rounds(kind, lambda cost: cost.rate, delay) for kind in ("ours", "bare"))
        when = f"answers after {delay * 1000:g} ms"
        yield Figure.of(f"{when}: ours", ours, "mails/s")
        yield Figure.of(f"{when}: bare Celery", bare, "mails/s")
        yield Figure.ratio(f"{when}: ours / bare Celery", ours, bare, least=least)


def _notes(chosen: argparse.Namespace, slow: int) -> list[str]:
    mails = f"backlog of {chosen.mails:,} mails ({slow:,} before the slow server)"
    return [
        f"{mails}, one worker with two children, median of {chosen.rounds} rounds taken in turn",
        "the mail server announces no PIPELINING" if chosen.plain else "the mail server announces PIPELINING",
    ]


def _told(cost: Cost) -> str:
    told = f"{cost.rate:,.0f} mails/s, worker {cost.worker:.2f} ms, Postgres {cost.postgres:.2f} ms"
    if not cost.stored:
        return told
    return f"{told}, bridge {cost.bridge:.2f} ms, WAL {cost.wal:,.0f} bytes for {cost.stored:,.0f} stored"


class _Bench:
    """A worker that sends to the mail server at `port`, and what its backlogs cost."""

    def __init__(self, built: Rig, port: int) -> None:
        self._built, self._port = built, port
        self._meter = Meter(built)

    def __enter__(self) -> "_Bench":
        lines = for_python(WORKER, "-n", "bench@%h", "-Q", f"email,{LINE}")
        self._worker = self._built.start(*lines, SMTP_PORT=str(self._port))
        await_true(lambda: bool(self._built.broker.exists(f"_kombu.binding.{LINE}")), seconds=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._meter.close()
        self._built.stop(self._worker)

    def ours(self, bodies: list[str]) -> Cost:
        execute(f"TRUNCATE pgmq.q_{MAIL_QUEUE}, pgmq.a_{MAIL_QUEUE}, notifications_emailmessage CASCADE")
        bridge = self._built.start_bridge(MAIL_QUEUE)
        self._meter.checkpoint()
        with transaction.atomic():
            execute("SELECT pgmq.send_batch(%s, %s::jsonb[])", [MAIL_QUEUE, bodies])
            before = self._meter.read(worker=self._worker.pid, bridge=bridge.pid)
        began = time.monotonic()
        await_empty(MAIL_QUEUE, every=LOOK_SECONDS)
        seconds = time.monotonic() - began
        after = self._meter.read(worker=self._worker.pid, bridge=bridge.pid)
        self._built.stop(bridge)
        if value("SELECT count(*) FROM notifications_emailmessage WHERE status = 'sent'") != len(bodies):
            raise SystemExit("not every mail was sent")
        records, images = self._meter.wal(before.wal, after.wal)
        return Cost(
            rate=len(bodies) / seconds,
            worker=(after.worker - before.worker) * 1000 / len(bodies),
            bridge=(after.bridge - before.bridge) * 1000 / len(bodies),
            postgres=(after.postgres - before.postgres) * 1000 / len(bodies),
            wal=records / len(bodies),
            images=images / len(bodies),
            stored=(_stored("notifications_emailmessage") + _stored(f"pgmq.a_{MAIL_QUEUE}")) / len(bodies),
        )

    def bare(self, bodies: list[str]) -> Cost:
        execute("TRUNCATE notifications_emailmessage CASCADE")
        with current_app.producer_or_acquire() as producer, producer.batch():
            for number, body in enumerate(bodies, 1):
                current_app.send_task(
                    TASK, args=[number, json.loads(body)], queue="held", producer=producer, ignore_result=True
                )
        self._meter.checkpoint()
        before = self._meter.read(worker=self._worker.pid)
        began = time.monotonic()
        # All tasks at once appear in the line of the waiting worker.
        broker = self._built.broker
        broker.rename("held", LINE)
        # Counted when the line is empty: between the line and the tasks in hand, one is nowhere for a moment.
        sent = "SELECT count(*) FROM notifications_emailmessage"
        await_true(
            lambda: not broker.llen(LINE) and not broker.hlen("unacked") and value(sent) == len(bodies),
            every=LOOK_SECONDS,
        )
        seconds = time.monotonic() - began
        after = self._meter.read(worker=self._worker.pid)
        return Cost(
            rate=len(bodies) / seconds,
            worker=(after.worker - before.worker) * 1000 / len(bodies),
            bridge=0.0,
            postgres=(after.postgres - before.postgres) * 1000 / len(bodies),
        )

    def count_statements(self, bodies: list[str]) -> float:
        """Those of the worker and of the bridge together, and of nobody else beyond a handful."""
        log = self._built.folder / "postgres.log"
        self._meter.log_statements(True)
        start = log.stat().st_size
        self.ours(bodies)
        self._meter.log_statements(False)
        sent = statements_logged(log, start)
        looks = sum(1 for statement in sent if statement.startswith(ANY_LEFT))
        return (len(sent) - looks) / len(bodies)


@contextmanager
def _mail_server(delay: float, *, plain: bool) -> Iterator[int]:
    command = [
        sys.executable,
        "-m",
        "sandbox.bench.mail_server",
        "--delay",
        str(delay),
        *(["--plain"] if plain else []),
    ]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # noqa: S101 # It is piped.
        found = re.search(r"listening on (\d+)", server.stdout.readline())
        if found is None:
            raise SystemExit("the mail server did not start")
        try:
            yield int(found[1])
        finally:
            server.kill()


def _work_alone(port: int, count: int) -> float:
    """Milliseconds of processor time that a mail takes in a process that only renders and sends."""
    command = [sys.executable, "-m", "sandbox.bench.mail_alone", str(count)]
    variables = {**os.environ, "SMTP_PORT": str(port)}
    done = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _stored(table: str) -> int:
    """Bytes of all rows, with what of them is kept elsewhere, as compressed as it lies there."""
    columns = value(
        "SELECT string_agg(format('coalesce(pg_column_size(%%I), 0)', attname), ' + ') FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [table],
    )
    # 24 bytes of header, and the line pointer of 4.
    return int(value(f"SELECT sum(28 + {columns}) FROM {table}"))

"""Who is compared, and how each is set up: as its own documents advise, two pieces of work at once."""

import os
import sys

from balansity.processes import BRIDGE, WORKER, for_python
from sandbox.bench.peers.ours.apps import QUEUE, ROWS_QUEUE
from sandbox.bench.peers.peer import HIDDEN_FOR, SOON, Part, Peer
from sandbox.bench.peers.place import Place
from sandbox.bench.peers.senders import CopyingSender, ProcessSender, Sender, SqlSender
from sandbox.packages import CHECKOUT
from sandbox.services.pgmq_install import install_pgmq

# A worker of Celery that is compared with another one says as little as that.
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class OfPgmq(Peer):
    """One whose messages wait in a queue of pgmq."""

    queue = "peer"

    @property
    def due(self) -> str:  # type: ignore[override]
        return f"SELECT FROM pgmq.q_{self.queue} WHERE vt < {SOON}"

    @property
    def hidden(self) -> str:  # type: ignore[override]
        return (
            f"INSERT INTO pgmq.q_{self.queue} (vt, message)"
            f" SELECT now() + {HIDDEN_FOR}, '{{}}' FROM generate_series(1, %(count)s)"
        )


class Ours(OfPgmq):
    name = "ours"
    title = "ours"
    about = "bridge, worker with two children, our wake-up trigger; a log line and an archive row with its history each"
    records = True
    queue, line = QUEUE, "peers"

    def install(self) -> dict[str, str]:
        return {}

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        place.value(f"SELECT pgmq.create('{self.queue}')")
        table = f"pgmq.q_{self.queue}"
        place.value(
            f"CREATE TRIGGER balansity_wakeup AFTER INSERT ON {table} EXECUTE FUNCTION balansity.bridge_notify()"
        )

    def clear(self, place: Place) -> None:
        super().clear(place)
        place.value(f"TRUNCATE pgmq.q_{self.queue}, pgmq.a_{self.queue}")
        place.broker.flushdb()

    def parts(self, place: Place, lease: int) -> list[Part]:
        leases = {"BRIDGE_DISPATCH_LEASE": str(lease), "BRIDGE_LEASE_MARGIN": str(max(1, lease - 7))} if lease else {}
        environment = {**os.environ, "PEER_DATABASE_URL": place.url, **leases}
        name = ("-n", f"peer-{os.urandom(4).hex()}@%h")
        worker = (sys.executable, *for_python(WORKER, *name, "-Q", self.line, "-c", "2"))
        bridge = (sys.executable, *for_python(BRIDGE, "--queue", self.queue))
        return [Part("worker", worker, environment, CHECKOUT), Part("dispatcher", bridge, environment, CHECKOUT)]

    def sender(self, place: Place) -> Sender:
        return SqlSender(place, self.queue, records=self.records)


class OursRows(Ours):
    name = "ours-rows"
    title = "ours, work that is nothing but rows"
    about = "the same with `transactional=True`: a bundle in one transaction, its rows written with the outcome"
    records = False
    queue, line = ROWS_QUEUE, "peers_rows"
    without = dict.fromkeys(("trickle", "idle", "xmin"), "the same processes and statements as above")


class OfCelery(Peer):
    """A worker of Celery, on whatever broker."""

    sends_with = "celery_app.py"

    def parts(self, place: Place, lease: int) -> list[Part]:
        # Theirs and not ours, whose one line stands in `balansity.processes`.
        program = (self.interpreter, "-m", "celery.__main__")
        command = (*program, "-A", "celery_app", "worker", "-c", "2", "-Q", "peer", *QUIET)
        name = ("-n", f"peer-{os.urandom(4).hex()}@%h")
        return [Part("worker", (*command, *name), self.run_environment(place, lease))]

    def sender(self, place: Place) -> Sender:
        def held(name: str) -> Sender:
            environment = {**self.run_environment(place), "PEER_QUEUE": name}
            return ProcessSender(environment, (self.interpreter, self.sends_with), place.log)

        return CopyingSender(super().sender(place), held, lambda name: self.copy(place, name))

    def copy(self, place: Place, name: str) -> None:
        """Put all that waits in the queue `name` into that of the workers, and keep it there."""
        raise NotImplementedError


class BareCelery(OfCelery):
    name = "celery"
    title = "bare Celery on Redis"
    about = "acks_late, reject_on_worker_lost, two children; the broker writes its log every second"
    lock, packages = "celery", ("celery", "kombu", "redis")
    without = {
        "hidden": "Redis hides nothing: a task for later is taken into a worker's memory",
        "xmin": "it has no table that a transaction could keep from being cleaned",
    }

    def copy(self, place: Place, name: str) -> None:
        if not place.broker.exists(f"kept_{name}"):
            place.broker.rename(name, f"kept_{name}")
        place.broker.copy(f"kept_{name}", "peer")

    def busy(self, place: Place) -> bool:
        return bool(self.left(place))

    def left(self, place: Place) -> int:
        return int(place.broker.llen("peer")) + int(place.broker.hlen("unacked"))

    def clear(self, place: Place) -> None:
        super().clear(place)
        stale = [key for key in place.broker.scan_iter() if not str(key, "utf-8").startswith("kept_")]
        if stale:
            place.broker.delete(*stale)


class KombuPgmq(OfPgmq, OfCelery):
    name = "kombu-pgmq"
    title = "Celery on kombu's PGMQ transport"
    about = "acks_late, two children, use_notify; a message is deleted when it is acknowledged"
    lock, packages = "kombu-pgmq", ("celery", "kombu", "pgmq")
    variables = {"PEER_BROKER": "pgmq"}
    emptied = ("TRUNCATE pgmq.q_peer",)

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        install_pgmq(place.connection)
        self.tool(place, self.interpreter, self.sends_with, "declare")

    def copy(self, place: Place, name: str) -> None:
        kept = f"SELECT clock_timestamp(), message, headers FROM pgmq.q_{name}"
        place.value(f"INSERT INTO pgmq.q_peer (vt, message, headers) {kept}")


class Procrastinate(Peer):
    name = "procrastinate"
    title = "procrastinate"
    about = "one process, asynchronous, concurrency 2, LISTEN; jobs stay in the table, with their events"
    lock, packages = "procrastinate", ("procrastinate", "psycopg")
    sends_with = "procrastinate_app.py"
    due = (
        "SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name = 'work'"
        f" AND (scheduled_at IS NULL OR scheduled_at < {SOON})"
    )
    emptied = (
        "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers",
    )
    hidden = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at, args)"
        f" SELECT 'peer', 'work', now() + {HIDDEN_FOR}, '{{}}' FROM generate_series(1, %(count)s)"
    )

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        self.tool(place, self.interpreter, "-m", "procrastinate", "--app=procrastinate_app.app", "schema", "--apply")

    def parts(self, place: Place, lease: int) -> list[Part]:
        command = (self.interpreter, "-m", "procrastinate", "--app=procrastinate_app.app", "worker", "--concurrency=2")
        return [Part("worker", command, self.run_environment(place, lease))]


class Pgqueuer(Peer):
    name = "pgqueuer"
    title = "pgqueuer"
    about = (
        "one process, asynchronous, asyncpg, its default batch of 10; two pieces of work that waits or writes at once"
    )
    lock, packages = "pgqueuer", ("pgqueuer", "asyncpg")
    sends_with = "pgqueuer_app.py"
    due = f"SELECT FROM pgqueuer WHERE status IN ('queued', 'picked') AND execute_after < {SOON}"
    emptied = ("TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics",)
    hidden = (
        "INSERT INTO pgqueuer (priority, created, updated, heartbeat, execute_after, status, entrypoint)"
        f" SELECT 0, now(), now(), now(), now() + {HIDDEN_FOR}, 'queued', 'work' FROM generate_series(1, %(count)s)"
    )

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        self.tool(place, self.interpreter, "-m", "pgqueuer", "--pg-dsn", place.url, "install")

    def parts(self, place: Place, lease: int) -> list[Part]:
        command = (self.interpreter, "pgqueuer_app.py", "worker")
        return [Part("worker", command, self.run_environment(place, lease))]


class DjangoOx(Peer):
    name = "django-ox"
    title = "django-ox"
    about = "two processes, connections that are kept, its default look every second; results stay in the table"
    lock, packages = "django-ox", ("django-ox", "Django", "psycopg")
    python = (3, 12)
    sends_with = "ox_app.py"
    due = (
        "SELECT FROM django_ox_oxtask WHERE status IN ('READY', 'RUNNING')"
        f" AND (run_after IS NULL OR run_after < {SOON})"
    )
    emptied = ("TRUNCATE django_ox_oxtask CASCADE",)
    hidden = (
        "INSERT INTO django_ox_oxtask (id, task_path, args, kwargs, queue_name, priority, takes_context, backend_name,"
        " status, run_after, attempts, max_attempts, errors, worker_ids, enqueued_at, lease_epoch)"
        " SELECT gen_random_uuid(), 'ox.tasks.work', '[1, 0, false]', '{}', 'default', 0, false, 'default', 'READY',"
        f" now() + {HIDDEN_FOR}, 0, 3, '[]', '[]', now(), 0 FROM generate_series(1, %(count)s)"
    )

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        self.tool(place, self.interpreter, "ox_app.py", "migrate", "--verbosity=0")

    def parts(self, place: Place, lease: int) -> list[Part]:
        command = (self.interpreter, "ox_app.py", "ox_worker", "--processes=2", "--concurrency=1")
        return [Part("worker", command, self.run_environment(place, lease))]


class NodeWay(OfPgmq):
    name = "node-way"
    title = "the Node worker's way"
    about = "asks every 5 s, ten a cycle, one after the other; in Python, as its ways are compared and not its language"
    lock, packages = "node-way", ("psycopg",)
    slow = True
    emptied = ("TRUNCATE pgmq.q_peer, pgmq.a_peer",)

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        install_pgmq(place.connection)
        place.value("SELECT pgmq.create('peer')")

    def parts(self, place: Place, lease: int) -> list[Part]:
        return [Part("worker", (self.interpreter, "node_way.py"), self.run_environment(place, lease))]

    def sender(self, place: Place) -> Sender:
        return SqlSender(place, self.queue)


ROSTER: tuple[type[Peer], ...] = (Ours, OursRows, BareCelery, KombuPgmq, Procrastinate, Pgqueuer, DjangoOx, NodeWay)

"""A peer in its place, with somebody who sends: what a scenario is given."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg2
import redis
from django.core.management import call_command
from django.db import connections

from sandbox.bench.peers.costs import Server
from sandbox.bench.peers.peer import Peer
from sandbox.bench.peers.place import Place
from sandbox.bench.peers.senders import Sender
from sandbox.services.postgres import create_database
from sandbox.services.sandbox import Sandbox

SETTINGS = "sandbox.bench.peers.ours.settings"


@dataclass
class Stage:
    """One peer, ready to be started. `filled`: a million hidden messages lie in its queue."""

    peer: Peer
    place: Place
    sender: Sender
    server: Server
    filled: bool = False


@contextmanager
def stages(peers: Sequence[Peer], environment: dict[str, str], sandbox: Sandbox) -> Iterator[list[Stage]]:
    """Each in a database of its own and in a number of its own of the broker, all on one server that syncs commits."""
    django.setup()
    call_command("migrate", verbosity=0)
    connections.close_all()
    with ExitStack() as stack:
        admin = stack.enter_context(closing(psycopg2.connect(sandbox.postgres.admin_url(), connect_timeout=10)))
        admin.autocommit = True
        broker = stack.enter_context(closing(redis.Redis.from_url(environment["REDIS_URL"], socket_timeout=30)))
        server = Server(sandbox.postgres.pid, admin, broker)
        # A page is written whole into the WAL at its first change after a checkpoint: chance would decide for whom.
        for setting in ("checkpoint_timeout = '1h'", "max_wal_size = '16GB'"):
            server.asked(f"ALTER SYSTEM SET {setting}")
        server.asked("SELECT pg_reload_conf()")
        made = []
        for number, peer in enumerate(peers):
            place = stack.enter_context(closing(_place(peer, number, environment, sandbox, server)))
            peer.prepare(place)
            sender = stack.enter_context(closing(peer.sender(place)))
            made.append(Stage(peer, place, sender, server))
        yield made


def _place(peer: Peer, number: int, environment: dict[str, str], sandbox: Sandbox, server: Server) -> Place:
    log = sandbox.folder / f"{peer.name}.log"
    url = environment["DATABASE_URL"]
    if not peer.lock:
        # Ours needs what a sandbox has: Supabase's side, and the tables that `migrate` made.
        return Place(url, environment["REDIS_URL"], log)
    database = f"peer_{number}"
    create_database(server.admin, database)
    return Place(_with_path(url, f"/{database}"), _with_path(environment["REDIS_URL"], f"/{number + 1}"), log)


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=path))

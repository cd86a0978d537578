"""What a stretch of time cost: CPU by who spent it, WAL, transactions, commands of the broker, memory."""

from dataclasses import dataclass
from typing import Any

import psutil
import redis
from psycopg2.extensions import connection as Connection

from sandbox.bench.peers.crew import Crew
from sandbox.bench.peers.place import Place, answer
from sandbox.bench.processors import own_seconds, tree

MEGABYTE = 1_000_000


@dataclass
class Server:
    """The common Postgres and broker, as their superuser and their operating system see them."""

    postgres_pid: int
    admin: Connection
    broker: "redis.Redis"

    def asked(self, statement: str, values: list[Any] | None = None) -> Any:
        return answer(self.admin, statement, values)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that only ever grows, at one moment."""

    cpu: dict[str, float]
    wal: int
    transactions: int
    commands: int

    def since(self, before: "Reading") -> dict[str, Any]:
        """What was spent between two readings; CPU in seconds."""
        return {
            "cpu": {role: round(seconds - before.cpu.get(role, 0.0), 4) for role, seconds in self.cpu.items()},
            "wal": self.wal - before.wal,
            "transactions": self.transactions - before.transactions,
            "commands": self.commands - before.commands,
        }


def read(server: Server, crew: Crew, place: Place) -> Reading:
    """Costs little itself, and that on connections to another database."""
    cpu: dict[str, float] = {}
    for part, process in crew.running:
        cpu[part.role] = cpu.get(part.role, 0.0) + _spent(process.pid)
    cpu["database"] = _spent(server.postgres_pid)
    told: dict[str, Any] = server.broker.info()
    cpu["broker"] = told["used_cpu_user"] + told["used_cpu_sys"]
    name = place.connection.info.dbname
    statistics = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
    return Reading(
        cpu=cpu,
        wal=int(server.asked("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")),
        transactions=int(server.asked(statistics, [name]) or 0),
        commands=int(told["total_commands_processed"]),
    )


def living(pid: int) -> list[psutil.Process]:
    """A process with all that it started; a peer's may have ended by itself, and there is none then."""
    try:
        return tree(pid)
    except psutil.NoSuchProcess:
        return []


def _spent(pid: int) -> float:
    return sum(own_seconds(process) for process in living(pid))


def memory(crew: Crew) -> dict[str, float]:
    """MB by role; what processes share is shared out among them, so that nothing counts twice."""
    sizes: dict[str, float] = {}
    for part, process in crew.running:
        for one in living(process.pid):
            try:
                size = one.memory_full_info().pss / MEGABYTE
            except psutil.NoSuchProcess:
                continue
            sizes[part.role] = round(sizes.get(part.role, 0.0) + size, 1)
    return sizes

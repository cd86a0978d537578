"""Where a peer runs, and what its processes see of it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import redis
from psycopg2.extensions import connection as Connection

APPS = Path(__file__).with_name("apps")


class Failed(Exception):
    """This peer does not do its work here; the others are measured all the same."""


def answer(connection: Connection, statement: str, values: Sequence[Any] | None = None) -> Any:
    """The first value of the first row, if the statement has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@dataclass
class Place:
    """Where a peer runs: a database of its own on the common server, a number of the common broker."""

    url: str
    redis_url: str
    log: Path
    connection: Connection = field(init=False)
    broker: "redis.Redis" = field(init=False)

    def __post_init__(self) -> None:
        self.connection = psycopg2.connect(self.url, connect_timeout=10)
        self.connection.autocommit = True
        self.broker = redis.Redis.from_url(self.redis_url, socket_timeout=30)

    def value(self, statement: str, values: Sequence[Any] | None = None) -> Any:
        return answer(self.connection, statement, values)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """For processes of a peer: nothing of ours but the addresses."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        addresses = {"PEER_DATABASE_URL": self.url, "PEER_REDIS_URL": self.redis_url}
        return {**kept, **addresses, "PEER_PGMQ_URL": self.url.replace("postgres://", "pgmq://", 1), **more}

    def close(self) -> None:
        self.connection.close()
        self.broker.close()

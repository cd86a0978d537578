"""The work that all of them do, and what only a bridge like ours can offer: a row written with the outcome."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg2
from django.db import connection

from bridge.message import Message
from bridge.worker.task import queue_task
from sandbox.bench.peers.ours.apps import QUEUE, ROWS_QUEUE

INSERT = "INSERT INTO peer_effect (number, pid, started_at) VALUES (%s, %s, %s)"
_connections: dict[int, Any] = {}


@queue_task("peers.run", queue=QUEUE)
def run(message: Message) -> Callable[[], None] | None:
    body: dict[str, Any] = message.body
    started_at = time.time()
    time.sleep(body["ms"] / 2000)
    if body["write"]:
        with _own_connection().cursor() as cursor:
            cursor.execute(INSERT, [body["number"], os.getpid(), started_at])
    time.sleep(body["ms"] / 2000)
    return partial(_record, body["number"]) if body.get("record") else None


@queue_task("peers.rows", queue=ROWS_QUEUE, transactional=True)
def rows(message: Message) -> None:
    """The same for work that is nothing but rows: they are written over Django's connection, with the outcome."""
    body: dict[str, Any] = message.body
    started_at = time.time()
    time.sleep(body["ms"] / 2000)
    if body["write"]:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [body["number"], os.getpid(), started_at])
    time.sleep(body["ms"] / 2000)


def _own_connection() -> Any:
    # By process: what a parent opened before it forked is not ours.
    found = _connections.get(os.getpid())
    if found is None:
        found = _connections[os.getpid()] = psycopg2.connect(os.environ["PEER_DATABASE_URL"], connect_timeout=10)
        found.autocommit = True
    return found


def _record(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO peer_recorded (number) VALUES (%s)", [number])

"""The work, the same for all: it takes its time, and where it is asked to, it writes one row in the middle of it.

The row is written by the work itself, on a connection of its own that commits at once: an effect outside of whatever
transaction a library keeps. What is lost and what is done twice is read from these rows and from nothing else.
"""

import os
import time

import psycopg

INSERT = "INSERT INTO peer_effect (number, pid, started_at) VALUES (%s, %s, %s)"
_connections = {}


def work(number, ms, write):
    """Called in the worker. `ms` is waited for and not computed: a mail server answers late."""
    started_at = time.time()
    time.sleep(ms / 2000)
    if write:
        # By process: what a parent opened before it forked is not ours.
        connection = _connections.get(os.getpid())
        if connection is None:
            connection = psycopg.connect(os.environ["PEER_DATABASE_URL"], autocommit=True)
            _connections[os.getpid()] = connection
        connection.execute(INSERT, [number, os.getpid(), started_at])
    time.sleep(ms / 2000)

"""The way of the Node worker: every five seconds up to ten messages of the queue, one after the other."""

import os
import time

import effect
import psycopg

INTERVAL_SECONDS = 5.0
MOST_IN_CYCLE = 10
LEASE = int(os.environ.get("PEER_LEASE", "0")) or 30


def main():
    with psycopg.connect(os.environ["PEER_DATABASE_URL"], autocommit=True) as connection:
        while True:
            read = "SELECT msg_id, message FROM pgmq.read('peer', %s, %s)"
            for msg_id, message in connection.execute(read, [LEASE, MOST_IN_CYCLE]).fetchall():
                effect.work(**message)
                connection.execute("SELECT pgmq.archive('peer', %s::bigint)", [msg_id])
            time.sleep(INTERVAL_SECONDS)


if __name__ == "__main__":
    main()

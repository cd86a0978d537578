"""Celery's consumer without gossip and mingle, however the worker was started.

With them, workers tell one another about clocks, revoked tasks and elections, of which there are none here. And gossip
writes a traceback of 170 lines whenever the broker is lost (it asks a connection that was closed for its errors). The
heartbeat stays, as Flower shows by it which workers live; but every ten seconds, as each says, and not every two.
"""

from typing import Any

from celery.worker import consumer

HEARTBEAT_SECONDS = 10.0


class Consumer(consumer.Consumer):
    def __init__(self, *args: Any, **options: Any) -> None:
        words = options.get("worker_options") or {}
        seconds = words.get("heartbeat_interval") or HEARTBEAT_SECONDS
        ours = {"without_gossip": True, "without_mingle": True, "heartbeat_interval": seconds}
        super().__init__(*args, **options | ours)

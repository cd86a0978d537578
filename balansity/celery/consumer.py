"""Celery's consumer without gossip and mingle, however the worker was started.

With them, workers tell one another about clocks, revoked tasks and elections, of which there are none here. And gossip
writes a traceback of 170 lines whenever the broker is lost (it asks a connection that was closed for its errors). The
heartbeat stays: Flower shows by it which workers live.
"""

from typing import Any

from celery.worker import consumer


class Consumer(consumer.Consumer):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"without_gossip": True, "without_mingle": True})

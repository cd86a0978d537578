"""A broker that delivers tasks twice."""

import json
import threading
import uuid
from contextlib import suppress
from typing import Any

import redis

LINES = ("email", "payments", "reports")
LOOK_SECONDS = 0.005


def double_what_is_in_line(url: str, ended: threading.Event) -> int:
    """Put a copy behind each task that is seen in line, once, until `ended`; returns how many."""
    seen: set[str] = set()
    doubled = 0
    with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        while not ended.wait(LOOK_SECONDS):
            # The broker may die of another fault meanwhile.
            with suppress(redis.RedisError):
                for line in LINES:
                    doubled += double(client, line, seen)
    return doubled


def double(client: "redis.Redis", line: str, seen: set[str]) -> int:
    """Put a copy of each task whose tag is not among `seen` at the end of the line, and note both; returns how many."""
    waiting: list[bytes] = client.lrange(line, 0, -1)  # type: ignore[assignment]
    doubled = 0
    for raw in waiting:
        task = json.loads(raw)
        if _tag(task) in seen:
            continue
        copy = _copy(task)
        seen |= {_tag(task), _tag(copy)}
        client.lpush(line, json.dumps(copy))
        doubled += 1
    return doubled


def _tag(task: dict[str, Any]) -> str:
    return str(task["properties"]["delivery_tag"])


def _copy(task: dict[str, Any]) -> dict[str, Any]:
    # Kombu keeps what is not acknowledged by this tag: two deliveries are two of them.
    return {**task, "properties": {**task["properties"], "delivery_tag": str(uuid.uuid4())}}

"""Where the lines and numbers of the home page lead: pages about queues, asked for exactly what the number counts."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse


def all_queues() -> str:
    return reverse("admin:bridge_queueoverview_changelist")


def queue(name: str) -> str:
    """The page of one queue."""
    return reverse("admin:bridge_queueoverview_queue", args=[name])


def failures(name: str, **wanted: Any) -> str:
    """What failed in a queue and is open, all or those that fit."""
    query = urlencode({"tab": "failures", **{key: value for key, value in wanted.items() if value}})
    return f"{queue(name)}?{query}"


def processes() -> str:
    return reverse("admin:bridge_bridgeprocess_changelist")

"""Where the lines and numbers of the home page lead: pages about queues, asked for exactly what the number counts."""

from typing import Any

from django.urls import reverse

from bridge.admin.addresses import queue_address
from bridge.admin.failures_tab import FAILURES


def all_queues() -> str:
    return reverse("admin:bridge_queueoverview_changelist")


def queue(name: str) -> str:
    """The page of one queue."""
    return queue_address(name)


def failures(name: str, **wanted: Any) -> str:
    """What failed in a queue and is open, all or those that fit."""
    return queue_address(name, tab=FAILURES, **wanted)


def processes() -> str:
    return reverse("admin:bridge_bridgeprocess_changelist")

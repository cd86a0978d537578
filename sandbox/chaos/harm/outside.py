"""YooKassa and the storage, which answer wrong, late or not at all; and an operator who pauses a queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from sandbox.chaos.pausing import paused
from sandbox.chaos.scene import Act, Hit, Scene

# More than any fault sees while it lasts.
MANY = 1_000_000
CONTROL_TIMEOUT = (3, 5)


def yookassa(kind: str, **options: Any) -> Act:
    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        scene.till.fail(kind, times=MANY, **options)
        try:
            yield Hit()
        finally:
            scene.till.mend()

    return act


def notifications(**manner: Any) -> Act:
    usual = {"copies": 1, "delay": 0.0, "hold": False}

    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        scene.till.notify(**manner)
        try:
            yield Hit()
        finally:
            scene.till.notify(**usual)
            if manner.get("hold"):
                # The last one first, and none of them repeated: beat has to find those that were not taken.
                scene.till.release("reversed")

    return act


def storage(kind: str, **options: Any) -> Act:
    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        address = f"{scene.sandbox.environment['SUPABASE_URL']}/sandbox/faults"
        fault = {"kind": kind, "times": MANY, **options}
        requests.post(address, json=fault, timeout=CONTROL_TIMEOUT).raise_for_status()
        try:
            yield Hit()
        finally:
            requests.delete(address, timeout=CONTROL_TIMEOUT).raise_for_status()

    return act


@contextmanager
def queue_paused(scene: Scene, target: str) -> Iterator[Hit]:
    with paused(target, over=scene.over):
        yield Hit()

"""What faults can reach, and what an act of harm is."""

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sandbox.chaos.fleet import Fleet, Supervised
from sandbox.demo.payments.till import Till
from sandbox.services.sandbox import Sandbox


@dataclass
class Scene:
    """What faults can reach. None begins when it is `over`; what began lasts as long as it was planned."""

    sandbox: Sandbox
    fleet: Fleet
    till: Till
    draw: random.Random
    over: threading.Event

    def process(self, name: str) -> Supervised:
        return self.fleet.named(name)


@dataclass
class Hit:
    """The processes that a fault has hit, if it is about any, and what it did, which may be said at its end.

    `early` ends it before its time.
    """

    pids: frozenset[int] = frozenset()
    note: str = ""
    early: threading.Event = field(default_factory=threading.Event)


Act = Callable[[Scene, str], AbstractContextManager[Hit]]

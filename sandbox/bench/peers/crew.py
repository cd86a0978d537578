"""The processes of a peer: started, signalled, killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.bench.peers.peer import Part, Peer
from sandbox.bench.peers.place import Place


@dataclass
class Crew:
    """The running processes of a peer."""

    peer: Peer
    place: Place
    lease: int = 0
    running: list[tuple[Part, "subprocess.Popen[bytes]"]] = field(default_factory=list)

    def start(self) -> None:
        for part in self.peer.parts(self.place, self.lease):
            self.start_part(part)

    def start_part(self, part: Part) -> "subprocess.Popen[bytes]":
        with self.place.log.open("ab") as log:
            process = subprocess.Popen(
                part.command,
                cwd=part.cwd,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that what it forks is stopped and killed with it.
                start_new_session=True,
            )
        self.running.append((part, process))
        return process

    def ended(self) -> bool:
        """Whether one of them runs no more."""
        return any(process.poll() is not None for _, process in self.running)

    def signal(self, number: signal.Signals) -> None:
        for _, process in self.running:
            send_group(process, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        for _, process in self.running:
            process.wait(30)
        self.running.clear()


def send_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        # It ended by itself.
        return


def await_true(condition: Callable[[], bool], *, seconds: float, every: float = 0.02) -> bool:
    """Whether it came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True

"""What a benchmark has to know of a peer: how it is set up, started, sent to, and how one sees that it is done."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.bench.peers.environments import interpreter, versions
from sandbox.bench.peers.place import APPS, Failed, Place
from sandbox.bench.peers.senders import ProcessSender, Sender

EFFECTS = """
CREATE TABLE IF NOT EXISTS peer_effect (
    id bigserial PRIMARY KEY, number int NOT NULL, pid int NOT NULL, started_at double precision NOT NULL
);
CREATE TABLE IF NOT EXISTS peer_recorded (id bigserial PRIMARY KEY, number int NOT NULL);
"""
# Far behind whatever a lease or a retry hides.
HIDDEN_FOR = "interval '30 days'"
SOON = "now() + interval '1 day'"


@dataclass(frozen=True, slots=True)
class Part:
    """A process to start. `role` says which column its costs stand in."""

    role: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path = APPS


class Peer:
    """One of those that are compared. Each subclass is one of them; an attribute that is left out is the usual."""

    name: str
    title: str
    # How it is set up, for the reader of the table.
    about: str
    lock: str = ""
    python: tuple[int, int] = (3, 11)
    packages: tuple[str, ...] = ()
    # Program of `apps` that sends, and what else it and the workers find in their environment.
    sends_with: str = ""
    variables: Mapping[str, str] = {}
    # A queue of one message every half second needs other numbers than the rest.
    slow: bool = False
    # Whether it writes a row with the outcome beside the work's own.
    records: bool = False
    # Why a scenario makes no sense for it, by the scenario's name.
    without: Mapping[str, str] = {}

    def __init__(self) -> None:
        self._interpreter: Path | None = None

    def install(self) -> dict[str, str]:
        """Make its environment; returns its versions. Raises `Unavailable`."""
        self._interpreter = interpreter(self.lock, least=self.python)
        return versions(self._interpreter, self.packages)

    @property
    def interpreter(self) -> str:
        return str(self._interpreter or sys.executable)

    def prepare(self, place: Place) -> None:
        """Make its tables in the empty database of `place`."""
        place.value(EFFECTS)

    def parts(self, place: Place, lease: int) -> list[Part]:
        """What runs: two pieces of work at once, altogether. `lease` bounds what a kill delays; 0 is its default."""
        raise NotImplementedError

    def sender(self, place: Place) -> Sender:
        """Somebody who sends in the library's own way."""
        command = (self.interpreter, self.sends_with)
        return ProcessSender(self.run_environment(place), command, place.log)

    def run_environment(self, place: Place, lease: int = 0) -> dict[str, str]:
        more = {**self.variables, **({"PEER_LEASE": str(lease)} if lease else {})}
        return place.environment(more)

    def busy(self, place: Place) -> bool:
        """Whether a message that is due waits or runs. Cheap, as it is asked while the clock runs."""
        return bool(place.value(f"SELECT EXISTS ({self.due})"))

    def left(self, place: Place) -> int:
        """How many messages that are due have no outcome yet."""
        return int(place.value(f"SELECT count(*) FROM ({self.due}) AS due"))

    # `SELECT … FROM …` of the messages that are due.
    due: str = ""
    # Statements that empty it.
    emptied: tuple[str, ...] = ()
    # A statement that adds `%(count)s` messages that are hidden for a month.
    hidden: str = ""

    def clear(self, place: Place) -> None:
        """Forget all messages and effects; nothing of it runs now."""
        for statement in (*self.emptied, "TRUNCATE peer_effect, peer_recorded RESTART IDENTITY"):
            place.value(statement)

    def hide(self, place: Place, count: int) -> None:
        place.value(self.hidden, {"count": count})  # type: ignore[arg-type]
        # VACUUM runs on its own.
        place.value("VACUUM ANALYZE")

    def tool(self, place: Place, *command: str) -> None:
        """Run one of its own commands to the end."""
        environment = self.run_environment(place)
        done = subprocess.run(
            command, cwd=APPS, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise Failed(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")

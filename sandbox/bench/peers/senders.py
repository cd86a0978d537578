"""Who sends to a peer: by SQL, by its own library, or once for all rounds."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sandbox.bench.peers.place import APPS, Failed, Place


@dataclass(frozen=True, slots=True)
class Work:
    """What one message asks for. `record` asks ours for a row in the transaction of the outcome as well."""

    ms: float = 0
    write: bool = False
    record: bool = False


NOTHING = Work()
LARGE = 1_000


class Sender:
    """Sends messages `first` … `first + count - 1`; returns the Unix time at which it was called."""

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class SqlSender(Sender):
    """For queues that are filled by SQL: Supabase's own way."""

    def __init__(self, place: Place, queue: str, *, records: bool = False) -> None:
        self._place, self._queue, self._records = place, queue, records

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        called_at = time.time()
        body = {"ms": work.ms, "write": work.write, **({"record": True} if self._records and work.record else {})}
        self._place.value(
            "SELECT count(*) FROM pgmq.send_batch(%s, array(SELECT jsonb_build_object('number', n) || %s::jsonb"
            " FROM generate_series(%s, %s) AS n))",
            [self._queue, json.dumps(body), first, first + count - 1],
        )
        return called_at


class ProcessSender(Sender):
    """For libraries: a producer in the peer's own environment."""

    def __init__(self, environment: Mapping[str, str], command: Sequence[str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=APPS,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._answer()

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        asked = {"first": first, "count": count, "ms": work.ms, "write": work.write}
        if self._process.stdin is None:
            raise Failed("a producer without an ear")
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return float(json.loads(self._answer())["called_at"])

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise Failed("its producer ended")
        return line

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class CopyingSender(Sender):
    """For those who publish one by one: a large backlog is sent once, to a queue of its own, and copied from there."""

    def __init__(self, direct: Sender, held: Callable[[str], Sender], copy: Callable[[str], None]) -> None:
        self._direct, self._held, self._copy = direct, held, copy
        self._names: dict[tuple[int, Work], str] = {}

    def send(self, count: int, work: Work = NOTHING, *, first: int = 1) -> float:
        if count < LARGE or first != 1:
            return self._direct.send(count, work, first=first)
        name = self._names.get((count, work))
        if name is None:
            name = self._names[count, work] = f"held_{len(self._names)}"
            with closing(self._held(name)) as sender:
                sender.send(count, work)
        called_at = time.time()
        self._copy(name)
        return called_at

    def close(self) -> None:
        self._direct.close()

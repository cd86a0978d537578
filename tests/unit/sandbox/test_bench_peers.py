"""The comparison with others: who is in it, how its books are kept, and that no cell is left out."""

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from sandbox.bench import recording
from sandbox.bench.peers import environments, run, scenarios, table
from sandbox.bench.peers.environments import LOCKS, Unavailable
from sandbox.bench.peers.kills import books, halved
from sandbox.bench.peers.peer import EFFECTS, Part, Peer
from sandbox.bench.peers.roster import ROSTER, BareCelery, Ours, OursRows
from sandbox.bench.peers.senders import CopyingSender, Sender, Work
from sandbox.packages import CHECKOUT

LOCKED = sorted({peer.lock for peer in ROSTER if peer.lock})
RUN = {
    "rounds": 3,
    "peers": [],
    "seconds": 60,
    "recorded_at": "2026-11-27T02:00:00+00:00",
    "commit": "5c677cf",
    "changed": False,
    "load": {"before": [0.1, 0.2], "after": [1.5, 1.1]},
    "machine": {"cores": 2, "processor": "Xeon", "memory_gb": 25.3, "system": "Linux"},
    "versions": {"Postgres": "18.6", "Valkey": "9.1.2"},
}


def about(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "about": "as its documents say", "versions": {"Python": "3.11.7"}, "without": {}, **more}


@pytest.mark.parametrize("name", LOCKED)
def test_each_peer_is_locked_with_hashes_and_without_addresses(name: str) -> None:
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^(\S+)==\S+", text, flags=re.MULTILINE)

    assert pinned
    assert "://" not in text
    for package in pinned:
        assert re.search(rf"^{re.escape(package)}==.*\\\n    --hash=sha256:", text, flags=re.MULTILINE), package


def test_nothing_of_the_peers_is_in_the_environment_of_the_product() -> None:
    """Django would prefer psycopg 3 wherever it finds it."""
    theirs = {"psycopg", "psycopg-binary", "asyncpg", "procrastinate", "pgqueuer", "django-ox"}
    for path in CHECKOUT.glob("requirements*.txt"):
        pinned = set(
            re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        )
        assert not pinned & theirs, path.name


def test_a_peer_whose_python_is_not_there_says_so_and_is_installed_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path / "peers")
    monkeypatch.setattr(environments, "candidates", lambda: [sys.executable])

    with pytest.raises(Unavailable, match=r"needs Python 99\.0"):
        environments.interpreter("django-ox", least=(99, 0))

    assert not (tmp_path / "peers").exists()


def test_a_peer_that_does_not_install_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Peer) -> dict[str, str]:
        raise Unavailable("it needs Python 3.12 or newer, and this machine has none")

    monkeypatch.setattr(Peer, "install", refuse)

    cast = run.gather(["ours", "django-ox"])

    assert [peer.name for peer in cast.peers] == ["ours"]
    rounds = [{"ours": {"rates": [5.0, 4.0]}}]
    text = table.render({"peers": cast.about, "scenarios": {"xmin": {"runs": [RUN], "rounds": rounds}}})
    assert "| django-ox | it needs Python 3.12 or newer, and this machine has none |" in text


def test_a_cell_is_the_median_of_the_rounds_with_their_range() -> None:
    rounds = [
        {"ours": {"rates": [100.0, 90.0]}},
        {"ours": {"rates": [100.0, 10.0]}},
        {"ours": {"rates": [100.0, 50.0]}},
    ]

    text = table.render({"peers": {"ours": about("ours")}, "scenarios": {"xmin": {"runs": [RUN], "rounds": rounds}}})

    assert "| ours | 100 (100–100) | 50 (10–90) | 0.5 (0.1–0.9) |" in text
    assert "*3 rounds; 2026-11-27, commit 5c677cf; 2 cores (Xeon)" in text


def test_whoever_has_no_place_in_a_scenario_or_fails_in_it_is_shown_with_the_reason() -> None:
    peers = {
        "ours": about("ours"),
        "celery": about("bare Celery", without={"xmin": "it has no table"}),
        "ox": about("django-ox"),
        "node": about("the Node worker's way"),
    }
    rounds = [{"ours": {"rates": [5.0, 4.0]}, "ox": {"failed": "its workers do not work"}}]

    text = table.render({"peers": peers, "scenarios": {"xmin": {"runs": [RUN], "rounds": rounds}}})

    assert "| bare Celery | it has no table | – | – |" in text
    assert "| django-ox | failed: its workers do not work | – | – |" in text
    assert "| the Node worker's way | not measured | – | – |" in text


def test_rounds_that_failed_stand_beside_the_others() -> None:
    peers = {"ox": about("django-ox")}
    rounds = [{"ox": {"rate": 7.0, "done": 70}}, {"ox": {"failed": "no answer"}}, {"ox": {"rate": 9.0, "done": 90}}]

    text = table.render({"peers": peers, "scenarios": {"hidden": {"runs": [RUN], "rounds": rounds}}})

    assert "| django-ox; failed in 1 of 3 rounds: no answer | 8 (7–9) | 80 (70–90) |" in text


@pytest.mark.parametrize(("done", "filled_once"), [(10, True), (9, False)])
def test_what_a_peer_left_undone_does_not_stand_before_the_next_round(
    monkeypatch: pytest.MonkeyPatch, done: int, filled_once: bool
) -> None:
    filled: list[int] = []
    peer = SimpleNamespace(
        slow=True,
        clear=lambda place: None,
        hide=lambda place, count: filled.append(count),
        left=lambda place: 10 - done,
    )
    place = SimpleNamespace(value=lambda statement, values=None: done)
    crew, sender = SimpleNamespace(signal=lambda number: None), SimpleNamespace(send=lambda count, work: None)
    stage: Any = SimpleNamespace(peer=peer, place=place, sender=sender, filled=False)
    monkeypatch.setattr(scenarios, "at_work", lambda stage, fresh: nullcontext(crew))
    monkeypatch.setattr(scenarios, "await_true", lambda condition, seconds: condition())

    for _ in range(2):
        assert scenarios.hidden(stage)["done"] == done
    assert filled == [scenarios.HIDDEN] * (1 if filled_once else 2)


@pytest.mark.parametrize(("left", "times"), [(0, 1), (3, 2)])
def test_a_round_behind_hidden_rows_begins_with_nothing_that_the_last_one_left(
    left: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden: list[int] = []
    peer = SimpleNamespace(
        slow=True, clear=lambda place: None, hide=lambda place, count: hidden.append(count), left=lambda place: left
    )
    place = SimpleNamespace(value=lambda statement, values=None: 10)
    sender = SimpleNamespace(send=lambda count, work: None)
    stage: Any = SimpleNamespace(peer=peer, place=place, sender=sender, filled=False)
    crew = SimpleNamespace(signal=lambda number: None)
    monkeypatch.setattr(scenarios, "at_work", lambda stage, fresh: nullcontext(crew))

    for _ in range(2):
        assert scenarios.hidden(stage)["done"] == 10

    assert hidden == [scenarios.HIDDEN] * times


def test_costs_are_shared_out_over_what_was_done_and_not_over_what_was_asked() -> None:
    found = {
        "rate": 50.0,
        "count": 10_000,
        "done": 500,
        "sending": {"wal": 1_000_000},
        "working": {"cpu": {"worker": 1.0, "database": 0.5}, "wal": 1_000_000},
    }

    text = table.render(
        {"peers": {"ours": about("ours")}, "scenarios": {"noop": {"runs": [RUN], "rounds": [{"ours": found}]}}}
    )

    assert "| ours | 50 | 500 | 2 | 1 | 2,000 | 100 |" in text


def test_a_scenario_is_replaced_or_added_to_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "CHECKOUT", tmp_path)
    monkeypatch.setattr(recording, "FOLDER", tmp_path / "benchmarks")
    cast = run.Cast(about={"ours": about("ours")})

    def keep(name: str, value: int, *, append: bool = False) -> None:
        run.keep(name, {"runs": [{"seconds": value}], "rounds": [{"ours": {"rate": value}}]}, cast, append=append)

    keep("work", 1)
    keep("noop", 2)
    keep("noop", 3)
    keep("noop", 4, append=True)

    kept = json.loads((tmp_path / "benchmarks" / "peers.json").read_text(encoding="utf-8"))["scenarios"]
    assert [*kept] == ["noop", "work"]
    assert [one["ours"]["rate"] for one in kept["noop"]["rounds"]] == [3, 4]
    assert [one["ours"]["rate"] for one in kept["work"]["rounds"]] == [1]


def test_halves_of_a_crew_work_with_one_child_each_and_share_what_hands_out() -> None:
    def part(role: str, *command: str) -> Part:
        return Part(role, command, {})

    parts = [part("worker", "celery", "worker", "-c", "2", "--concurrency=2"), part("dispatcher", "bridge")]

    assert [(one.role, one.command) for one in halved([parts, parts])] == [
        ("worker", ("celery", "worker", "-c", "1", "--concurrency=1")),
        ("dispatcher", ("bridge",)),
        ("worker", ("celery", "worker", "-c", "1", "--concurrency=1")),
    ]


class DjangosPlace:
    """The database of the tests, asked as a peer's."""

    def value(self, statement: str, values: list[Any] | None = None) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@pytest.mark.usefixtures("database")
def test_the_books_count_what_the_work_wrote_and_believe_nobody_else() -> None:
    place = DjangosPlace()
    place.value(EFFECTS)
    # 1 once, 2 twice, 3 three times, 4 never.
    place.value(
        "INSERT INTO peer_effect (number, pid, started_at) SELECT n, 1, 0 FROM unnest(ARRAY[1, 2, 2, 3, 3, 3]) AS n"
    )
    place.value("INSERT INTO peer_recorded (number) VALUES (1), (2), (3), (3)")

    assert books(place.value, sent=4, with_outcome=False) == {"lost": 1, "doubled": 2}
    assert books(place.value, sent=4, with_outcome=True) == {
        "lost": 1,
        "doubled": 2,
        "recorded_lost": 1,
        "recorded_doubled": 1,
    }


class Producer(Sender):
    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said = name, said

    def send(self, count: int, work: Work = Work(), *, first: int = 1) -> float:  # noqa: B008 # Frozen.
        self.said.append(f"{self.name} sends {count} from {first}")
        return 0.0


def test_a_large_backlog_is_sent_once_and_copied_while_a_small_one_is_sent() -> None:
    said: list[str] = []
    sender = CopyingSender(
        Producer("peer", said), lambda name: Producer(name, said), lambda name: said.append(f"copy of {name}")
    )

    sender.send(10_000)
    sender.send(10_000)
    sender.send(2_000, Work(write=True))
    sender.send(8, first=100)

    assert said == [
        *("held_0 sends 10000 from 1", "copy of held_0", "copy of held_0"),
        *("held_1 sends 2000 from 1", "copy of held_1", "peer sends 8 from 100"),
    ]


def test_only_ours_needs_no_environment_and_all_say_how_they_are_set_up() -> None:
    assert [peer.name for peer in ROSTER if not peer.lock] == [Ours.name, OursRows.name]
    assert all(peer.about and peer.title for peer in ROSTER)
    assert len({peer.name for peer in ROSTER}) == len(ROSTER) == 8
    assert BareCelery.without.keys() <= table.COLUMNS.keys()

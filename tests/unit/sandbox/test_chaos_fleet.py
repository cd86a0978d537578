"""The supervisor of `./dev chaos`: what ends is started again, and what has retired is not."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from balansity.processes import BEAT, for_python
from sandbox.chaos import draining, fleet
from sandbox.chaos.fleet import Supervised
from sandbox.chaos.harm import processes


@pytest.fixture
def beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervised:
    """A process that is only said to be there, and ends as soon as it is asked to."""
    process = Supervised("beat", for_python(BEAT), tmp_path, {})
    service = SimpleNamespace(pid=7, exit_code=None, starts=0)

    def start(*_: object, **__: object) -> None:
        service.exit_code, service.starts = None, service.starts + 1

    service.start = start
    monkeypatch.setattr(process, "_service", service)
    monkeypatch.setattr(os, "kill", lambda pid, number: setattr(service, "exit_code", 0))
    monkeypatch.setattr(fleet, "RESTART_AFTER_SECONDS", 0.0)
    process.start()
    return process


def starts(process: Supervised) -> int:
    service: Any = process._service
    return int(service.starts)


def test_what_is_asked_to_end_comes_back(beat: Supervised) -> None:
    beat.end()
    ended = beat.look()
    assert ended is not None
    assert (ended.code, ended.expected) == (0, True)
    assert beat.look() is None
    assert starts(beat) == 2


def test_what_has_retired_does_not(beat: Supervised) -> None:
    beat.retire()
    ended = beat.look()
    assert ended is not None
    assert ended.expected
    assert [beat.look(), beat.look()] == [None, None]
    assert starts(beat) == 1


def test_who_is_killed_by_the_death_of_a_parent_is_told() -> None:
    killed: list[str] = []
    worker = SimpleNamespace(
        children=lambda: [SimpleNamespace(pid=11), SimpleNamespace(pid=12)], kill_parent=lambda: killed.append("parent")
    )
    scene: Any = SimpleNamespace(process=lambda target: worker)
    with processes.kill_parent(scene, "worker-1") as hit:
        assert (hit.pids, killed) == (frozenset({11, 12}), ["parent"])


def test_what_has_to_be_done_besides_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    besides = [2, 1, 0, 0, 0, 0]
    monkeypatch.setattr(draining, "_left", lambda url, till, limits: 0)
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.0)
    till: Any = None
    draining.drain("there", till, {}, patience=60.0, tell=print, besides=lambda: besides.pop(0))
    assert besides == []

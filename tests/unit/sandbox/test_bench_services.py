"""Whose services `./dev bench` uses: what it empties is nobody else's."""

import os
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from sandbox.bench import rig
from sandbox.bench.peers import run as peers


class Started(Exception):
    """The services would be started now."""


def start_rig() -> None:
    with ExitStack() as stack:
        stack.enter_context(rig.rig("try"))


def start_peers() -> None:
    peers.run(["--peers", "ours"])


@pytest.mark.parametrize(("module", "begin"), [(rig, start_rig), (peers, start_peers)])
def test_what_is_emptied_belongs_to_nobody_else(
    module: object, begin: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody@127.0.0.1:1/theirs")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    asked: list[dict[str, str]] = []

    def start(*_: object, variables: dict[str, str] | None = None, **__: object) -> None:
        asked.append(dict(os.environ) if variables is None else variables)
        raise Started

    monkeypatch.setattr(module, "Sandbox", start)
    with pytest.raises(Started):
        begin()
    assert "PATH" in asked[0]
    assert not {"DATABASE_URL", "REDIS_URL"} & asked[0].keys()

"""`./dev` and its command line, as they are typed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from sandbox.packages import CHECKOUT
from sandbox.services.state import State
from tests.acceptance import starter

VERBS = ("demo", "up", "sandbox", "manage", "test", "check", "bench", "lock", "help")


def dev(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(CHECKOUT / "dev"), *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_unknown_verb_prints_the_help_and_ends_with_2(tmp_path: Path) -> None:
    done = dev("dance", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "there is no verb dance" in done.stderr
    assert "Usage: ./dev VERB" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_the_help_names_every_verb(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = dev(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert [verb for verb in VERBS if f"\n  {verb}" not in done.stdout] == []


@pytest.fixture
def name(tmp_path: Path) -> Iterator[str]:
    """The name of a sandbox in this checkout that no longer runs, nor exists, after the test."""
    name = f"test-cli-{os.getpid()}"
    yield name
    run(tmp_path, "--name", name, "--stop")
    run(tmp_path, "--name", name, "--reset")
    state = State(name)
    (state.root / f"{name}.out").unlink(missing_ok=True)


def run(scratch: Path, *arguments: str) -> str:
    """Run `./dev sandbox …` without the launcher, which would look at the installed packages first."""
    outside = ("DATABASE_URL", "REDIS_URL")
    environment = {variable: value for variable, value in os.environ.items() if variable not in outside}
    command = ["-m", "sandbox.dev.cli", "sandbox", *arguments]
    done = starter.run(command, environment, folder=CHECKOUT, scratch=scratch, seconds=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported(output: str, variable: str) -> str:
    script = f'{output}\nprintf %s "${variable}"'
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=True).stdout


def test_a_shell_can_export_the_environment_of_a_sandbox_in_the_background(name: str, tmp_path: Path) -> None:
    first = run(tmp_path, "--name", name, "--env")
    url = exported(first, "DATABASE_URL")
    psycopg2.connect(url, connect_timeout=5).close()
    assert run(tmp_path, "--name", name, "--env") == first, "the second call finds the running one"
    assert run(tmp_path, "--name", name, "--stop") == f"stopped the sandbox {name!r}\n"
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url, connect_timeout=5)
    assert "does not run" in run(tmp_path, "--name", name, "--stop")

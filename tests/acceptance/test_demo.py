"""`./dev demo` as a person runs it: the whole thing in a sandbox of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from balansity.sandbox.process import identity
from tests.acceptance.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "balansity.sandbox.demo", "--fast", "--folder"]
# The demo takes these for services to use, and the run's own must not be mixed with its messages.
OUTSIDE = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A fast demo whose sandbox lies in `tmp_path`; it is told to stop at the end of the test."""
    environment = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, str(tmp_path)],
            cwd=ROOT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def output_of(tmp_path: Path) -> str:
    return (tmp_path / "output").read_text(encoding="utf-8")


def services(tmp_path: Path) -> dict[str, tuple[int, str | None]]:
    """The processes that the demo started, by name: number and identity."""
    found = {}
    for file in (tmp_path / "demo").glob("*.pid"):
        noted = json.loads(file.read_text(encoding="utf-8"))
        found[file.stem] = (int(noted["pid"]), noted["identity"])
    return found


@pytest.mark.timeout(240)
def test_every_message_of_the_demo_ends_as_promised(demo: "subprocess.Popen[str]", tmp_path: Path) -> None:
    code = demo.wait(200)

    output = output_of(tmp_path)
    assert code == 0, output
    assert "all 43 messages ended as expected" in output
    assert re.search(r"sergey\.nikitin\+always451 +failed \(retries\) +✓ failed \(retries\) +6: ", output), output
    assert re.search(r"oleg\.demidov\+refuse2 +sent at try 3 +✓ sent at try 3 +3: ", output), output
    assert re.search(r"vera\.lapina\+slow2 +sent after a kill +✓ sent at try 2 ", output), output
    assert "✗" not in output
    assert len(list((tmp_path / "demo" / "mail").glob("*.eml"))) == 33
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mail"]


@pytest.mark.timeout(180)
def test_ctrl_c_stops_everything_that_the_demo_started(demo: "subprocess.Popen[str]", tmp_path: Path) -> None:
    wait_until(lambda: "five families" in output_of(tmp_path), "the demo sends its messages", seconds=90)
    running = services(tmp_path)

    demo.send_signal(signal.SIGINT)

    assert demo.wait(60) == 130, output_of(tmp_path)
    assert running.keys() == {"postgres", "broker", "mailbox", "worker", "beat", "bridge"}
    assert [name for name, (pid, known) in running.items() if identity(pid) == known] == []
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mail"]

"""The units of systemd: complete, hardened, and with the command lines that everything else starts."""

import re
import shlex
from collections.abc import Sequence
from configparser import RawConfigParser
from pathlib import Path

import pytest

from balansity.processes import LINES
from sandbox.packages import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "systemd"
HOME = "/srv/balansity"
HARDENED = {
    "nonewprivileges": "true",
    "capabilityboundingset": "",
    "umask": "0027",
    "protectsystem": "strict",
    "protecthome": "true",
    "privatetmp": "true",
    "privatedevices": "true",
    "protectkernelmodules": "true",
    "restrictsuidsgid": "true",
    "systemcallfilter": "@system-service",
    "readwritepaths": f"{HOME}/logs {HOME}/files",
    "user": "balansity",
    "restart": "always",
}
# In MB: what a process was seen to need, before any margin. Of the worker, each child may grow to WORKER_MAX_MEMORY_MB.
NEEDS = {"web": 300, "worker": 106 + 2 * 400, "beat": 100, "bridge": 80}


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=True, delimiters=("=",))
    parser.read_string((FOLDER / f"balansity-{name}.service").read_text(encoding="utf-8"))
    return parser


def test_each_process_has_a_unit_and_nothing_else_has() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {f"balansity-{name}.service" for name in LINES}


@pytest.mark.parametrize(("name", "command"), [*LINES.items()], ids=[*LINES])
def test_a_unit_starts_what_everything_else_starts(name: str, command: Sequence[str]) -> None:
    started = shlex.split(unit(name)["Service"]["ExecStart"].replace("%%", "%"))
    assert started == [f"{HOME}/.venv/bin/{command[0]}", *command[1:]]
    assert unit(name)["Service"]["WorkingDirectory"] == HOME


@pytest.mark.parametrize("name", NEEDS)
def test_a_unit_is_given_no_more_than_it_needs(name: str) -> None:
    service = unit(name)["Service"]
    assert {key: service[key] for key in HARDENED} == HARDENED
    assert "EnvironmentFile" not in service
    assert NEEDS[name] < int(service["MemoryMax"].removesuffix("M")) <= 3 * NEEDS[name]
    assert unit(name)["Install"]["WantedBy"] == "multi-user.target"


def test_a_worker_is_told_to_stop_alone_and_given_time() -> None:
    service = unit("worker")["Service"]
    compose = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
    assert service["KillMode"] == "mixed"
    assert f"stop_grace_period: {service['TimeoutStopSec']}s" in compose


def test_the_documents_name_the_units_and_where_they_belong() -> None:
    text = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "deploy/systemd" in text
    named = set(re.findall(r"balansity-(\w+)(?:\.service)?", text))
    assert {Path(file.name).stem.removeprefix("balansity-") for file in FOLDER.iterdir()} <= named

"""What `./dev bench` refuses before it starts anything, and what the documents tell to run."""

import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.bench import __main__ as bench
from sandbox.bench import recording, tables
from sandbox.bench.growth import running
from sandbox.bench.report import Figure
from sandbox.chaos import __main__ as chaos
from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """`./dev bench` up to the point where it would begin; returns the exit code and what it said of an error."""

    def read(name: str) -> Callable[..., bool]:
        return lambda options=(): bool(bench.WITH_OPTIONS[name](options)) if name in bench.WITH_OPTIONS else True

    def ask(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["./dev bench", *words])
        try:
            code = bench.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        return code, capsys.readouterr().err

    monkeypatch.setattr(bench, "BENCHES", {name: read(name) for name in bench.BENCHES})
    monkeypatch.setattr(bench, "_all", lambda options: 0)
    monkeypatch.setattr(tables, "write", lambda: "docs/benchmarks.md")
    return ask


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("mail --mails -3", "'-3' is no whole number of at least 2"),
        ("mail --mails 1", "'1' is no whole number of at least 2"),
        ("mail --mails many", "'many' is no whole number of at least 2"),
        ("mail --rounds 0", "'0' is no whole number of at least 1"),
        ("mail --mails 100 --slow 200", "--slow 200 is more than a backlog has: raise --mails 100"),
        ("mail --slow -1", "'-1' is no whole number of at least 0"),
        ("growth --rounds 0", "'0' is no whole number of at least 1"),
        ("growth --only archive --rows 0", "'0' is no whole number of at least 1"),
        ("growth --only tls --rows 1000", "--rows is for the part archive, which is left out: add --only archive"),
        ("growth --plot --only tls", "--plot measures nothing and draws all that was recorded: let it stand alone"),
        ("growth --plot --record", "let it stand alone"),
        ("growth --only peers", "invalid choice: 'peers'"),
        ("operations --scale 0", "'0' is no number above 0 and at most 10"),
        ("operations --scale nan", "'nan' is no number above 0"),
        ("peers --rounds 0", "'0' is no whole number of at least 1"),
        ("peers --peers ours,sidekiq", "no peer is called 'sidekiq'; there are: ours,ours-rows,celery"),
        ("peers --peers ''", "no peer is called ''"),
        ("peers --append", "--append adds to what was recorded: it goes with --record"),
        ("peers --only idle --peers ours --record", "speed is compared within one run"),
        ("tables --record", "tables measures nothing, so there is nothing to record: leave --record out"),
        ("delivery --rounds 2", "only growth and mail and operations and peers take options: --rounds 2"),
        ("speed", "invalid choice: 'speed'"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_would_do(words: str, told: str, ask: Ask) -> None:
    code, said = ask(*shlex.split(words))
    assert (code, told in said) == (2, True), said


@pytest.mark.parametrize(
    "words",
    [
        "mail --mails 2 --rounds 1 --slow 0",
        "mail --mails 100 --slow 100",
        "growth --rows 1 --rounds 1",
        "growth --plot",
        "operations --scale 0.01",
        "peers --peers 'ours, celery' --rounds 1",
        "peers --record --append --only kills --peers ours",
    ],
)
def test_what_can_be_measured_is_not_refused(words: str, ask: Ask) -> None:
    assert ask(*shlex.split(words)) == (0, "")


def told_commands() -> list[str]:
    """All of `./dev bench` and `./dev chaos` that documents, recorded figures and `./dev help` tell to run."""
    documents = [CHECKOUT / name for name in ("README.md", "README.ru.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    told = set()
    for path in [*documents, *(CHECKOUT / "docs").rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        told |= {*re.findall(r"`\./dev ((?:bench|chaos)\b[^`\n]*)`", text)}
        told |= {*re.findall(r"^\./dev ((?:bench|chaos)\b[^`#\n]*)", text, re.MULTILINE)}
    for path in recording.FOLDER.glob("*.json"):
        told.add(json.loads(path.read_text(encoding="utf-8")).get("command", "./dev bench").removeprefix("./dev "))
    return sorted({one.strip() for one in told})


@pytest.mark.parametrize("command", told_commands())
def test_what_the_documents_tell_to_run_can_be_asked_for(
    command: str, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    what, *words = ["delivery" if word == "NAME" else word for word in shlex.split(command)]
    if what == "bench":
        assert ask(*words) == (0, "")
    else:
        chaos.read_options(words)


def test_the_documents_tell_of_every_benchmark() -> None:
    assert len(told_commands()) > 20
    told = " ".join(told_commands())
    assert [name for name in bench.BENCHES if f"bench {name}" not in told] == []


def test_help_names_every_benchmark_and_every_option_of_chaos() -> None:
    shown = (CHECKOUT / "dev").read_text(encoding="utf-8").partition("<<'END'")[2].partition("\nEND\n")[0]
    _, _, listed = shown.partition("\n  bench ")
    assert [name for name in bench.BENCHES if not re.search(rf"\b{name}\b", listed)] == []
    _, _, of_chaos = shown.partition("\n  chaos ")
    for option in ("--minutes", "--seed", "--record", "--without", "--json", "--table"):
        assert option in of_chaos.partition("\n  lock")[0]


def test_a_service_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise SandboxError("Postgres does not start")

    monkeypatch.setattr(bench, "BENCHES", {"idle": fail})
    monkeypatch.setattr("sys.argv", ["./dev bench", "idle"])
    with pytest.raises(SystemExit, match=r"^\./dev bench: Postgres does not start$"):
        bench.main()


def test_each_part_is_kept_with_its_own_time_and_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [100.0]

    def part(seconds: float) -> Callable[[object], tuple[list[Figure], list[str]]]:
        def measure(_: object) -> tuple[list[Figure], list[str]]:
            now[0] += seconds
            return [Figure("bare", 1, "s")], []

        return measure

    monkeypatch.setattr(recording, "CHECKOUT", tmp_path)
    monkeypatch.setattr(recording, "FOLDER", tmp_path / "benchmarks")
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(running, "PARTS", {"workers": part(50), "tls": part(7)})
    with recording.recorded(("--rounds", "1")):
        running.run(["--rounds", "1"])
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "benchmarks").iterdir()}
    assert {name: one["seconds"] for name, one in kept.items()} == {"growth-workers": 50, "growth-tls": 7}

"""What `./dev chaos` refuses before it starts anything, which schedule a control gets, and how it ends."""

from pathlib import Path
from typing import NoReturn

import pytest

from sandbox.chaos import __main__ as chaos
from sandbox.chaos import recording
from sandbox.chaos.doubles import DOUBLES, NEEDS, SIGNS
from sandbox.chaos.recording import BEGIN, END
from sandbox.chaos.schedule import KINDS, make_schedule
from sandbox.errors import SandboxError


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--minutes 0", "--minutes must be more than 0 and at most 120"),
        ("--minutes nan", "--minutes must be more than 0"),
        ("--minutes soon", "invalid float value: 'soon'"),
        ("--seed one", "invalid int value: 'one'"),
        ("--without lock", "invalid choice: 'lock'"),
        ("--without claim-token --record", "a run without a protection is no record"),
        ("--json .", "is a folder: name a file"),
        ("--json README.md/result.json", "README.md/result.json cannot be written: "),
        ("--without finish-token --seed 2", "in 1 min the schedule of seed 2 comes to no worker_stop"),
        ("--without finish-token --minutes 0.1", "in 0.1 min the schedule comes to no worker_stop"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_would_do(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        chaos.read_options(words.split())
    assert (ended.value.code, told in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize("without", DOUBLES)
def test_a_control_gets_a_schedule_that_has_what_it_is_for(without: str) -> None:
    for _ in range(20):
        options = chaos.read_options(["--without", without])
        kinds = {one.kind for one in make_schedule(options.seed, 60.0)}
        assert {NEEDS[without]} <= kinds if without in NEEDS else kinds


def test_a_control_is_for_faults_that_there_are() -> None:
    assert {*NEEDS.values()} <= {kind.name for kind in KINDS}
    assert NEEDS.keys() <= DOUBLES.keys()


def test_a_run_that_does_not_start_is_no_red_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise SandboxError("the sandbox 'chaos' is already running")

    monkeypatch.setattr(chaos, "run", fail)
    monkeypatch.setattr("sys.argv", ["./dev chaos", "--without", "payment-lock"])
    with pytest.raises(SystemExit) as ended:
        chaos.main()
    assert (ended.value.code, capsys.readouterr().err) == (
        2,
        "./dev chaos: the sandbox 'chaos' is already running\n",
    )


COPY = "invariant 3: mail 1: copy 2 came 9.0 s after the one before, and no fault between them explains it"
OTHER = "invariant 4: report 1: it was not made: failed"


@pytest.mark.parametrize(
    ("violations", "told"),
    [
        ([], "Without claim-token: NOT NOTICED. This run did not come to"),
        ([OTHER], "Without claim-token: NOT NOTICED. What is wrong here has other reasons."),
        ([COPY, OTHER], "Without claim-token: noticed, by 1 of 2 violations."),
    ],
)
def test_a_control_says_whether_it_was_noticed(violations: list[str], told: str) -> None:
    assert told in chaos._told("claim-token", violations)


def test_each_control_has_its_signs() -> None:
    assert SIGNS.keys() == DOUBLES.keys()


def test_the_table_is_made_again_of_the_runs_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = tmp_path / "chaos.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(recording, "DOCUMENT", document)
    monkeypatch.setattr(recording, "CHECKOUT", tmp_path)
    monkeypatch.setattr(recording, "FOLDER", tmp_path / "none")
    monkeypatch.setattr("sys.argv", ["./dev chaos", "--table"])
    chaos.main()
    assert document.read_text(encoding="utf-8") == f"before\n{BEGIN}\n\nNone yet.\n\n{END}\nafter\n"

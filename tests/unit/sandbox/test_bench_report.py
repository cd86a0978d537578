"""What a benchmark says, what is kept of it, and that the document says the same."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.bench import recording, tables
from sandbox.bench.report import Figure, show, shown
from sandbox.packages import CHECKOUT


def test_a_figure_is_the_median_of_its_rounds_and_keeps_them() -> None:
    figure = Figure.of("ours", [3.0, 1.0, 2.0], "ms", most=2)

    kept = figure.as_json()

    assert (kept["value"], kept["range"], kept["rounds"]) == (2.0, [1.0, 3.0], [3.0, 1.0, 2.0])
    assert (kept["target"], kept["met"]) == ({"most": 2}, True)


def test_a_ratio_is_taken_round_by_round() -> None:
    assert Figure.ratio("ours / theirs", [2.0, 30.0, 4.0], [1.0, 10.0, 1.0]).rounds == (2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("value", "bound", "text"),
    [
        (1.60004, 1.6, "1.60004"),
        (1.6, 1.6, "1.6"),
        (3.9996, 4, "3.9996"),
        (1_234_567.8, None, "1,234,568"),
        (199.6, 200, "199.6"),
        (0.0, None, "0"),
    ],
)
def test_a_value_is_never_rounded_to_the_other_side_of_its_target(value: float, bound: float | None, text: str) -> None:
    assert shown(value, bound) == text


def test_what_is_kept_is_on_its_side_of_the_target_as_well() -> None:
    kept = Figure("ours", 1.600004, "times", most=1.6).as_json()

    assert (shown(kept["value"], 1.6), kept["met"]) == ("1.600004", False)


def test_each_target_is_printed_as_met_or_not_met(capsys: pytest.CaptureFixture[str]) -> None:
    met = show(
        "try", [Figure("fast", 4.2, "times", least=4), Figure("small", 2.5, "ms", most=2), Figure("bare", 1, "s")]
    )

    lines = capsys.readouterr().out.splitlines()
    assert "try: fast: 4.2, at least 4: met" in lines
    assert "try: small: 2.5, at most 2: NOT MET" in lines
    assert not met
    told = json.loads(lines[-1])
    assert told["missed"] == ["small"]
    assert told["verdicts"] == ["try: fast: 4.2, at least 4: met", "try: small: 2.5, at most 2: NOT MET"]


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "FOLDER", tmp_path)

    show("try", [Figure("bare", 1, "s")])

    assert not list(tmp_path.iterdir())


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setattr(recording, "CHECKOUT", tmp_path)
    monkeypatch.setattr(recording, "FOLDER", tmp_path / "benchmarks")
    with recording.recorded(("--only", "one")):
        show("try", [Figure.of("fast", [4.1, 4.2, 3.9], "times", least=4.15)], notes=["a note"])
    loaded: dict[str, Any] = json.loads((tmp_path / "benchmarks" / "try.json").read_text(encoding="utf-8"))
    return loaded


def test_what_is_kept_says_on_what_and_of_what_it_was_measured(kept: dict[str, Any]) -> None:
    assert kept["command"] == "./dev bench try --only one"
    assert kept["figures"][0]["rounds"] == [4.1, 4.2, 3.9]
    assert not kept["met"]
    # Never which machine it was.
    assert kept["machine"].keys() == {"cores", "processor", "memory_gb", "system"}
    assert kept["machine"]["cores"] == os.cpu_count()
    assert {"Python", "celery", "Postgres", "Valkey"} <= kept["versions"].keys()
    assert len(kept["load"]["before"]) == len(kept["load"]["after"]) == 2


def test_a_chapter_says_what_was_kept_and_leaves_the_words_around_it(kept: dict[str, Any]) -> None:
    text = "# Words\n\n<!-- figures: try -->\nold\n<!-- end -->\n\nmore words\n"

    brought_up = tables.brought_up(text, {"try": kept})

    assert "| fast | 4.1 | 3.9–4.2 | times | at least 4.15 | **no** |" in brought_up
    assert brought_up.startswith("# Words\n")
    assert brought_up.endswith("more words\n")
    assert "old" not in brought_up
    assert tables.brought_up(brought_up, {"try": kept}) == brought_up


def test_a_benchmark_recorded_for_the_first_time_gets_a_chapter(kept: dict[str, Any]) -> None:
    brought_up = tables.brought_up("# Words\n", {"try": kept | {"command": "./dev bench try"}})

    assert "## `./dev bench try`" in brought_up
    assert "| fast |" in brought_up


def test_a_chapter_of_a_part_is_called_by_the_words_that_measure_it_again(kept: dict[str, Any]) -> None:
    command = "./dev bench growth --only tls"
    brought_up = tables.brought_up("# Words\n", {"growth-tls": kept | {"command": command}})

    assert f"## `{command}`" in brought_up
    assert brought_up.count("\n## ") == 1


def test_the_document_says_what_was_recorded() -> None:
    text = tables.DOCUMENT.read_text(encoding="utf-8")

    assert tables.brought_up(text, tables.recorded_figures()) == text, "run ./dev bench tables"


def test_what_was_recorded_names_no_path() -> None:
    for path in recording.FOLDER.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(root|home|work|tmp|Users)/", text), path.name
        assert str(CHECKOUT) not in text, path.name

"""The plots of `docs/growth.md`: drawn by us, of what was recorded, readable for everybody."""

import re
from xml.etree import ElementTree as ET

import pytest

from sandbox.bench.growth import plots
from sandbox.bench.growth.svg import HEIGHT, WIDTH, Plot, Series, bars, curves, nice_top

SVG = "{http://www.w3.org/2000/svg}"
PLOT = Plot(
    "Messages a second <fast>",
    "messages/s",
    "workers",
    ["1", "2", "4"],
    [Series("one bridge", [512.0, 940.5, None]), Series("two bridges", [500.0, 950.0, 1800.0])],
)


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314 # Ours.


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (0.7, 1), (1, 1), (9.6, 10), (10.1, 12.5), (17, 20), (1800, 2000), (4.9e6, 5e6)]
)
def test_a_scale_ends_above_the_largest_value_with_round_lines(largest: float, top: float) -> None:
    assert nice_top(largest) == pytest.approx(top)


@pytest.mark.parametrize("draw", [curves, bars])
def test_a_plot_is_whole_and_says_its_values_in_words_as_well(draw: plots.Drawing) -> None:
    drawn = draw(PLOT)

    root = parsed(drawn)
    said = root.findtext(f"{SVG}title") or ""
    assert "one bridge 1: 512, 2: 940; two bridges 1: 500, 2: 950, 4: 1,800" in said
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"Messages a second <fast>", "messages/s", "workers", "1", "2", "4", "one bridge", "two bridges"} <= {*texts}
    # Nothing is run or fetched, and whoever prefers the dark is asked by the picture itself.
    assert not re.search(r"<script|href=|url\(|@import", drawn)
    assert "prefers-color-scheme: dark" in drawn


@pytest.mark.parametrize("draw", [curves, bars])
def test_nothing_of_a_plot_lies_outside_of_it(draw: plots.Drawing) -> None:
    root = parsed(draw(PLOT))

    for element in root.iter():
        for name in ("x", "cx", "x1", "x2"):
            assert 0 <= float(element.get(name, "0")) <= WIDTH
        for name in ("y", "cy", "y1", "y2"):
            assert 0 <= float(element.get(name, "0")) <= HEIGHT
        assert float(element.get("height", "1")) >= 0


def test_a_value_is_as_high_as_the_scale_says() -> None:
    root = parsed(bars(Plot("t", "u", "", ["a"], [Series("s", [50.0]), Series("t", [100.0])])))

    # The marks of the legend come last.
    half, whole, *_ = (float(bar.get("height", "0")) for bar in root.iter(f"{SVG}rect") if bar.get("x"))
    assert half == pytest.approx(whole / 2, abs=0.2)


def test_the_value_of_a_bar_that_reaches_the_top_stands_within_it() -> None:
    root = parsed(bars(Plot("t", "u", "", ["a", "b"], [Series("s", [49.7, 10.0])])))

    high, low = (element for element in root.iter(f"{SVG}text") if "value" in (element.get("class") or ""))
    assert (high.get("class"), low.get("class")) == ("value inside", "value")
    # What the scale is in stands at 50.
    assert float(high.get("y", "0")) > 62 + 11


def test_what_several_runs_have_is_their_median(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {f"growth-archive-1000-{n}": {"figures": [{"name": "a", "value": n}]} for n in (700, 930, 820)}
    monkeypatch.setattr(plots, "recorded_figures", lambda: runs | {"mail": {"figures": [{"name": "a", "value": 1}]}})

    assert plots.recorded_values() == {"a": 820}


def test_what_was_not_recorded_is_not_drawn() -> None:
    assert plots.drawn_plots({}) == {}
    assert {*plots.drawn_plots({"1,000 rows: claim": 1.0})} == {"archive-statements"}


def test_the_document_shows_what_was_recorded_and_has_a_place_for_the_rest() -> None:
    drawn = plots.drawn_plots(plots.recorded_values())
    text = plots.DOCUMENT.read_text(encoding="utf-8")

    kept = {path.stem: path.read_text(encoding="utf-8") for path in plots.FOLDER.glob("*.svg")}
    assert (drawn, plots.brought_up(text, drawn)) == (kept, text), "run ./dev bench growth --plot"
    assert {match["name"] for match in plots.MARKED.finditer(text)} == plots.all_names()


def test_a_plot_takes_its_place_in_the_document() -> None:
    text = "words\n\n<!-- plot: workers-1 -->\nNot recorded yet.\n<!-- end -->\n\nmore words\n"

    shown = plots.brought_up(text, {"workers-1": "<svg/>"})

    assert "\n![Messages a second: no work](growth/workers-1.svg)\n" in shown
    assert shown.startswith("words\n")
    assert shown.endswith("more words\n")
    assert plots.brought_up(shown, {}) == text

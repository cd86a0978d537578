"""`docs/benchmarks.md`: between its marks stands what was recorded, around them what people wrote about it.

`<!-- figures: NAME -->` and `<!-- end -->` hold the table of `docs/benchmarks/NAME.json`. A benchmark that was recorded
and has no marks yet gets a chapter at the end, under the command that recorded it.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.bench import recording
from sandbox.bench.peers import table as peers
from sandbox.bench.report import shown
from sandbox.packages import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
_MARKED = re.compile(r"<!-- figures: (?P<name>[a-z0-9_-]+) -->\n.*?<!-- end -->", re.DOTALL)


def write() -> str:
    """Bring the document up to what was recorded; returns its path in the checkout."""
    DOCUMENT.write_text(brought_up(DOCUMENT.read_text(encoding="utf-8"), recorded_figures()), encoding="utf-8")
    return str(DOCUMENT.relative_to(CHECKOUT))


def recorded_figures() -> dict[str, dict[str, Any]]:
    """What `--record` left, by benchmark."""
    paths: list[Path] = sorted(recording.FOLDER.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def brought_up(text: str, found: dict[str, dict[str, Any]]) -> str:
    """The document with each table as it was recorded."""
    marked = {match["name"] for match in _MARKED.finditer(text)}
    for name in sorted(found.keys() - marked):
        # Peers are recorded scenario by scenario, each with words of its own.
        command = found[name].get("command", f"./dev bench {name}")
        text = f"{text.rstrip()}\n\n## `{command}`\n\n<!-- figures: {name} -->\n<!-- end -->\n"
    return _MARKED.sub(lambda match: _chapter(match["name"], found), text)


def _chapter(name: str, found: dict[str, dict[str, Any]]) -> str:
    body = RENDERERS.get(name, figures_table)(found[name]) if name in found else "Not recorded yet.\n"
    return f"<!-- figures: {name} -->\n{body}<!-- end -->"


def figures_table(answer: dict[str, Any]) -> str:
    """The figures of one benchmark, and what they were measured on."""
    lines = ["| figure | median | range | unit | target | met |", "|---|---:|---:|---|---|---|"]
    lines += [_row(figure) for figure in answer["figures"]]
    notes = [f"{note}  " for note in answer["notes"]]
    return "\n".join([*lines, "", *notes, measured_on(answer), ""])


def _row(figure: dict[str, Any]) -> str:
    target, verdict, bound = "", "", None
    if "target" in figure:
        ((side, bound),) = figure["target"].items()
        target, verdict = f"at {side} {bound:g}", "yes" if figure["met"] else "**no**"
    ends = "–".join(shown(value) for value in figure["range"]) if len(figure["rounds"]) > 1 else ""
    name = figure["name"].replace("|", "\\|")
    return f"| {name} | {shown(figure['value'], bound)} | {ends} | {figure['unit']} | {target} | {verdict} |"


def measured_on(answer: dict[str, Any]) -> str:
    """Machine, load, versions, code and day in a sentence each."""
    machine, load = answer["machine"], answer["load"]
    versions = ", ".join(f"{name} {version}" for name, version in answer["versions"].items())
    changed = " with changes" if answer["changed"] else ""
    before, after = ("/".join(f"{value:g}" for value in load[when]) for when in ("before", "after"))
    return (
        f"`{answer['command']}`, {answer['seconds']:,} s, {answer['recorded_at'][:10]}, "
        f"commit {answer['commit']}{changed}. "
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']:g} GB, {machine['system']}; "
        f"load average (1 and 5 minutes) {before} before, {after} after. {versions}."
    )


# A benchmark whose result is no list of figures draws its chapter itself.
RENDERERS: dict[str, Callable[[dict[str, Any]], str]] = {"peers": peers.render}

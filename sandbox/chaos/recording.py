"""Keeps a run in the documents: its JSON as it is, and a table of all of them that is made from these files."""

import json
from pathlib import Path
from typing import Any

from sandbox.chaos.summary import rows
from sandbox.packages import CHECKOUT

FOLDER = CHECKOUT / "docs" / "chaos"
DOCUMENT = CHECKOUT / "docs" / "chaos.md"
BEGIN, END = "<!-- runs: made by ./dev chaos --record -->", "<!-- end of runs -->"


def record(result: dict[str, Any]) -> Path:
    """Write the file of this run and the document anew; returns the file, relative to the checkout."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"seed-{result['seed']}-{result['minutes']:g}-minutes.json"
    file.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write_table()
    return file.relative_to(CHECKOUT)


def write_table() -> Path:
    """Bring the document up to the runs that are there; returns it, relative to the checkout."""
    DOCUMENT.write_text(with_runs(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    return DOCUMENT.relative_to(CHECKOUT)


def with_runs(document: str) -> str:
    """The document with the table of the runs that are there."""
    before, _, rest = document.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{_table(_recorded())}\n\n{END}{after}"


def _recorded() -> list[tuple[str, dict[str, Any]]]:
    files = sorted(FOLDER.glob("*.json"))
    return [(file.name, json.loads(file.read_text(encoding="utf-8"))) for file in files]


def _table(runs: list[tuple[str, dict[str, Any]]]) -> str:
    if not runs:
        return "None yet."
    heads = [f"[seed {run['seed']}, {run['minutes']:g} min](chaos/{name})" for name, run in runs]
    lines = [_line("", heads), _line("---", ["---"] * len(runs))]
    facts = [{"commit": run["commit"], "machine": _machine(run), **dict(rows(run))} for _, run in runs]
    lines += [_line(what, [fact[what] for fact in facts]) for what in facts[0]]
    return "\n".join(lines)


def _machine(run: dict[str, Any]) -> str:
    machine = run["machine"]
    load = f"load {machine['load_before']:g} → {machine['load_after']:g}"
    return f"{machine['cores']} cores, {machine['memory_gib']:g} GiB, {load}"


def _line(head: str, cells: list[str]) -> str:
    return f"| {head} | {' | '.join(cells)} |"

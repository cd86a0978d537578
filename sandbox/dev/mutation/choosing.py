"""Which tests are to notice a change: those that have run it, the quickest first of each way through the file.

A guard that everything goes through is run by a thousand tests, most of which go the same way as another one. So one of
each way comes first, then the second of each. The rest waits until the time is used up that a change may take: most
changes are noticed before.
"""

import ast
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from sandbox.dev.mutation.change import Change
from sandbox.dev.mutation.plan import CONTROL, Attempt, Run

# The lines of Python that name a query, by its name.
Users = dict[str, set[tuple[str, int]]]

_CONTROL_TESTS = 12
# A change may make an endless loop of it.
_LEAST_SECONDS, _TIMES_SLOWER = 20.0, 4.0


def users_of_queries(root: Path, changes: Iterable[Change]) -> dict[str, Users]:
    """Return, for each SQL file, the lines of its own package that name a query: who runs one has run that."""
    files = {change.file for change in changes if change.file.endswith(".sql")}
    return {file: _names(root, root / Path(file).parts[0]) for file in files}


def _names(root: Path, package: Path) -> Users:
    found: Users = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.setdefault(node.value, set()).add((str(path.relative_to(root)), node.lineno))
    return found


def to_trace(changes: Iterable[Change], users: dict[str, Users]) -> list[str]:
    """Return the files whose lines tell which tests run the changes."""
    traced = {change.file for change in changes if change.file not in users}
    queries = {(change.file, change.function) for change in changes if change.file in users}
    traced |= {file for sql, query in queries for file, _ in users[sql].get(query, ())}
    return sorted(traced)


def attempts(
    changes: Sequence[Change], users: dict[str, Users], passed: dict[str, Run], *, seconds: float
) -> list[Attempt]:
    """Return what is to be tried, behind one attempt without any change.

    `seconds` is what the first tests of one change may take; one test may take longer. Some changes may have none.
    """
    control = sorted(passed, key=lambda test: passed[test].seconds)[:: max(1, len(passed) // _CONTROL_TESTS)]
    return [
        Attempt(CONTROL, 0, control, _patience(passed, control), [], 0),
        *(_attempt(change, users.get(change.file), passed, seconds) for change in changes),
    ]


def _attempt(change: Change, users: Users | None, passed: dict[str, Run], seconds: float) -> Attempt:
    lines = {(change.file, line) for line in change.lines}
    reached = lines if users is None else users.get(change.function, set())
    able = [test for test, run in passed.items() if any(line in run.lines.get(file, ()) for file, line in reached)]
    ordered = _in_turns(able, passed, {file for file, _ in reached})
    taken = itertools.accumulate(passed[test].seconds for test in ordered)
    number = max(1, sum(sum_ <= seconds for sum_ in taken))
    first, rest = ordered[:number], ordered[number:]
    return Attempt(change.file, change.number, first, _patience(passed, first), rest, _patience(passed, rest))


def _in_turns(tests: Iterable[str], passed: dict[str, Run], files: set[str]) -> list[str]:
    ways: dict[tuple[tuple[int, ...], ...], int] = {}
    turns: dict[str, int] = {}
    quickest = sorted(tests, key=lambda test: passed[test].seconds)
    for test in quickest:
        way = tuple(tuple(passed[test].lines.get(file, ())) for file in sorted(files))
        turns[test] = ways[way] = ways.get(way, 0) + 1
    return sorted(quickest, key=lambda test: turns[test])


def _patience(passed: dict[str, Run], tests: Iterable[str]) -> float:
    return _LEAST_SECONDS + _TIMES_SLOWER * sum(passed[test].seconds for test in tests)

"""`./dev mutate`: lets the tests that reach a guard run while it is broken, for one after another."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from sandbox.dev.mutation import accepted, python, statements
from sandbox.dev.mutation.change import Change
from sandbox.dev.mutation.choosing import attempts, to_trace, users_of_queries
from sandbox.dev.mutation.plan import (
    CONTROL,
    FOLDER,
    KILLED,
    NOT_TRIED,
    SURVIVED,
    Attempt,
    Plan,
    forget_results,
    results,
    runs,
)
from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT

# Those of real processes see nothing of a change that is in the memory of one.
TESTS = ("tests/unit", "tests/integration")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./dev mutate", description="Break one guard at a time, in memory, and tell which of them no test misses."
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a .py or .sql file, or a folder of such")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="which tests may notice (default: unit, integration)")
    parser.add_argument("--list", action="store_true", help="print the changes and try none")
    parser.add_argument("--limit", type=int, help="try no more than so many, spread over all")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="how many at once (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="what the first tests of one change may take, before the rest of them (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    files = _files(CHECKOUT, options.paths)
    found = [change for file in files for change in changes(CHECKOUT, file)]
    if options.list:
        for change in found:
            print(_told(change))
        print(f"{len(found)} changes")
        return 0
    tried = found[:: max(1, -(-len(found) // options.limit))] if options.limit else found
    known = accepted.load(CHECKOUT / accepted.LIST)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        planned = plan(CHECKOUT, tried, Path(folder), options.tests, options.workers, options.seconds)
        became = outcomes(CHECKOUT, planned, Path(folder), options.workers)
        # An accepted one is not looked into any further: it only has to be there.
        news = {(one.file, one.number) for one in tried if accepted.Key.of(one) not in known}
        if rest := by_the_rest(planned, {key for key in news if became[key] == SURVIVED}):
            became |= outcomes(CHECKOUT, rest, Path(folder), options.workers)
    return _report(tried, found, planned, became, known)


def changes(root: Path, file: str) -> list[Change]:
    finder = statements.changes if file.endswith(".sql") else python.changes
    return finder(file, (root / file).read_text(encoding="utf-8"))


def _files(root: Path, paths: Iterable[str]) -> list[str]:
    found: list[Path] = []
    for name in paths:
        path = (root / name).resolve()
        if not path.exists():
            raise SandboxError(f"there is no {name}")
        inside = sorted([*path.rglob("*.py"), *path.rglob("*.sql")]) if path.is_dir() else [path]
        found += [file for file in inside if "migrations" not in file.parts]
    return list(dict.fromkeys(str(file.relative_to(root)) for file in found))


def plan(
    root: Path, tried: Sequence[Change], folder: Path, tests: Sequence[str], workers: int, seconds: float
) -> list[Attempt]:
    """Run the tests once, and choose those that are to notice each change."""
    users = users_of_queries(root, tried)
    Plan(to_trace(tried, users), []).save(folder)
    print(f"runs the tests once, to see which of them reach the {len(tried)} changes", flush=True)
    _pytest("tracing", root, tests, folder, workers)
    return attempts(tried, users, runs(folder), seconds=seconds)


def outcomes(root: Path, planned: Sequence[Attempt], folder: Path, workers: int) -> dict[tuple[str, int], str]:
    """Try the changes; returns what became of each. Raises `SandboxError` when that cannot be told."""
    unreached = {(attempt.file, attempt.number): SURVIVED for attempt in planned if not attempt.tests}
    unreached.pop((CONTROL, 0), None)
    Plan([], [attempt for attempt in planned if attempt.tests]).save(folder)
    needed = sorted({test.partition("::")[0] for attempt in planned for test in attempt.tests})
    if not needed:
        return unreached
    print(
        f"no test reaches {len(unreached)} of them; tries the others: an F is a change that no test notices", flush=True
    )
    forget_results(folder)
    _pytest("forking", root, needed, folder, workers)
    found = {(result.file, result.number): result for result in results(folder)}
    control = found.pop((CONTROL, 0), None)
    if control is None or control.outcome != SURVIVED or len(found) + len(unreached) + 1 < len(planned):
        raise SandboxError(f"nothing can be told: tests fail without any change, or were stopped ({control})")
    return unreached | {key: result.outcome for key, result in found.items()}


def by_the_rest(planned: Sequence[Attempt], missed: set[tuple[str, int]]) -> list[Attempt]:
    """Return what is to be tried again, by the tests that there was no time for, behind the one without any change."""
    rest = [attempt.by_the_rest for attempt in planned if attempt.rest and (attempt.file, attempt.number) in missed]
    return [*(attempt for attempt in planned if attempt.file == CONTROL), *rest] if rest else []


def _pytest(plugin: str, root: Path, tests: Sequence[str], folder: Path, workers: int) -> None:
    outside = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    environment |= {FOLDER: str(folder), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    # Some tests are made from sets; all workers are to make them in one order.
    environment["PYTHONHASHSEED"] = "0"
    environment["PYTHONPATH"] = str(CHECKOUT)
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--no-summary", "--tb=no", "-o", "timeout=0"]
    command += ["-p", f"{__package__}.{plugin}", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-n", str(workers), "--dist", "worksteal" if plugin == "tracing" else "load", "--maxschedchunk", "1"]
    done = subprocess.run([*command, *tests], cwd=root, env=environment, check=False)
    # Failures are what it is about; anything else is trouble.
    if done.returncode not in (0, 1):
        raise SandboxError(f"pytest ended with {done.returncode}")


def _report(
    tried: Sequence[Change],
    found: Sequence[Change],
    planned: Sequence[Attempt],
    became: dict[tuple[str, int], str],
    known: dict[accepted.Key, str],
) -> int:
    by_outcome: dict[str, list[Change]] = {KILLED: [], SURVIVED: [], NOT_TRIED: []}
    for change in tried:
        by_outcome[became[change.file, change.number]].append(change)
    news = accepted.unexplained(by_outcome[SURVIVED], known)
    tests = {(attempt.file, attempt.number): attempt for attempt in planned}
    for change in news:
        print(f"{_told(change)} ({_by(tests[change.file, change.number])})")
    old = accepted.stale(
        known,
        files={change.file for change in found},
        there={accepted.Key.of(change) for change in found},
        noticed={accepted.Key.of(change) for change in by_outcome[KILLED]}
        - {accepted.Key.of(change) for change in by_outcome[SURVIVED]},
    )
    for line in old:
        print(f"{accepted.LIST}: {line}")
    print(
        f"{len(tried)} changes: {len(by_outcome[KILLED])} noticed, {len(by_outcome[SURVIVED])} survive "
        f"({len(by_outcome[SURVIVED]) - len(news)} of them accepted), {len(by_outcome[NOT_TRIED])} could not be tried"
    )
    return 1 if news or old else 0


def _told(change: Change) -> str:
    return f"{change.where}: {change.function}: {change.text}\n    {change.what}"


def _by(attempt: Attempt) -> str:
    able = len(attempt.tests) + len(attempt.rest)
    return f"{able} tests run it" if able else "no test reaches it"

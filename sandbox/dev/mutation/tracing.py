"""A plugin of pytest: notes which lines of the chosen files each test runs.

What processes run that a test starts is not seen. A test that fails by itself counts for nothing.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sandbox.dev.mutation.plan import FOLDER, Plan, Run

_FAILED = pytest.StashKey[bool]()


class _Lines:
    """The lines that run between two looks at them, of the files that are asked about."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._seen: set[tuple[str, int]] = set()

    def enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        # Asked for every call there is: quick for all that is not ours.
        return self._step if frame.f_code.co_filename in self._files else None

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self._seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._step

    def take(self) -> dict[str, list[int]]:
        seen, self._seen = self._seen, set()
        found: dict[str, list[int]] = {}
        for filename, line in sorted(seen):
            found.setdefault(self._files[filename], []).append(line)
        return found


class _Tracing:
    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        self._lines = _Lines({str(root / name): name for name in Plan.load(folder).traced})
        self._runs: dict[str, Run] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._lines.take()
        begin = time.monotonic()
        threading.settrace(self._lines.enter)
        sys.settrace(self._lines.enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            seconds, lines = time.monotonic() - begin, self._lines.take()
            if not item.stash.get(_FAILED, False) and lines:
                self._runs[item.nodeid] = Run(seconds, lines)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            item.stash[_FAILED] = True
        return report

    def pytest_sessionfinish(self) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        runs = {name: [run.seconds, run.lines] for name, run in self._runs.items()}
        (self._folder / f"traced-{worker}.json").write_text(json.dumps(runs), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Tracing(config.rootpath, Path(os.environ[FOLDER])))

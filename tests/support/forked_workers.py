"""A plugin of pytest: collects the tests once and runs them in forks of the collecting process (`--forks 6`).

Each worker of pytest-xdist imports and collects everything by itself, which takes longer than all unit tests. A fork
has what was collected, and asks for one test after another; what it reports is shown as if there were no forks. Half of
them begin with the tests that start processes and wait for them, the others with those that compute, so that neither
the processor nor a long test is waited for at the end.
"""

import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis.internal.conjecture import providers

from tests.support.thrift import capture_throughout

# Tests of one file that one worker does in a row, so that what one has rendered or read is there for the next. Those
# that wait are handed out one by one.
IN_A_ROW = 40
MANY = 10
PATIENCE_SECONDS = 10

_fork = multiprocessing.get_context("fork")


class Hooks:
    """What the plugin asks of others."""

    @pytest.hookspec
    def pytest_forked(self, config: pytest.Config, number: int) -> None:
        """Called in each worker before its first test; `number` counts from 0."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forks", type=int, default=0, help="collect once and run the tests in that many forks")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    option = session.config.option
    if not option.forks or option.collectonly or not session.items:
        return None
    if session.testsfailed and not option.continue_on_collection_errors:
        return None
    _Pool(session, option.forks).run()
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Find once what each fork would find by itself: the words and numbers in our code, which hypothesis tries."""
    drawing = (getattr(getattr(item, "obj", None), "is_hypothesis_test", False) for item in session.items)
    if session.config.option.forks and not session.config.option.collectonly and any(drawing):
        providers._get_local_constants()


def waits(item: pytest.Item) -> bool:
    """Whether it starts processes and spends most of its time waiting for them."""
    return "acceptance" in item.path.parts


def in_rows(items: list[pytest.Item]) -> Iterator[list[int]]:
    """What one worker does in a row, as places in the list: some of a file, or all that share what is set up for a file
    or for a folder.
    """
    together: dict[Path, list[int]] = {}
    for number, item in enumerate(items):
        together.setdefault(item.path.parent if "package" in _scopes(item) else item.path, []).append(number)
    for numbers in together.values():
        size = 1 if waits(items[numbers[0]]) else IN_A_ROW
        if any({"class", "module", "package"} & _scopes(items[number]) for number in numbers):
            size = len(numbers)
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]


def _scopes(item: pytest.Item) -> set[str]:
    """How widely what it uses is shared."""
    info = getattr(item, "_fixtureinfo", None)
    found = info.name2fixturedefs.values() if info else ()
    return {each.scope for definitions in found for each in definitions}


@dataclass(slots=True)
class _Worker:
    """A fork, the test that it does, and those that come after it in the row."""

    number: int
    process: ForkProcess
    connection: Connection
    current: int | None = None
    row: deque[int] = field(default_factory=deque)


class _Pool:
    """The collecting process: hands out the tests, and tells pytest what the forks report."""

    def __init__(self, session: pytest.Session, forks: int) -> None:
        self._session, self._forks = session, forks
        # In their order, but for the long ones, which nobody should wait for at the end.
        rows = sorted(in_rows(session.items), key=lambda row: len(row) < MANY)
        self._waiting = deque(row for row in rows if waits(session.items[row[0]]))
        self._computing = deque(row for row in rows if not waits(session.items[row[0]]))
        self._workers: dict[Connection, _Worker] = {}

    def run(self) -> None:
        plugins = self._session.config.pluginmanager
        capture, terminal = plugins.getplugin("capturemanager"), plugins.getplugin("terminalreporter")
        if terminal is not None:
            # The files take turns, and each turn would have a line.
            terminal.showfspath = False
        # Its file would be one for all forks. Each begins its own.
        capture.stop_global_capturing()
        try:
            for number in range(min(self._forks, len(self._waiting) + len(self._computing))):
                self._start(number)
            while self._workers:
                for ready in wait(list(self._workers)):
                    assert isinstance(ready, Connection)
                    self._hear(self._workers[ready])
        finally:
            self._end()
            capture.start_global_capturing()
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _start(self, number: int) -> None:
        here, there = _fork.Pipe()
        process = _fork.Process(target=_work, args=(self._session, number, there), name=f"fork {number}")
        with warnings.catch_warnings():
            # Later versions of Python warn of forks beside threads.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        there.close()
        self._workers[here] = _Worker(number, process, here)

    def _hear(self, worker: _Worker) -> None:
        try:
            messages = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._bury(worker)
            return
        for message in messages:
            self._heed(worker, message)

    def _heed(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        match message:
            case ("next",):
                self._hand_out(worker)
            case ("report", data):
                config = self._session.config
                report = config.hook.pytest_report_from_serializable(config=config, data=data)
                config.hook.pytest_runtest_logreport(report=report)
            case ("hook", name, values):
                getattr(self._session.config.hook, name)(**values)
            case ("warning", values):
                self._session.config.hook.pytest_warning_recorded.call_historic(kwargs=values)
            case ("broken", told):
                self._tell_broken(worker, told)

    def _hand_out(self, worker: _Worker) -> None:
        worker.current = None
        if self._session.shouldfail or self._session.shouldstop:
            worker.row.clear()
            self._waiting.clear()
            self._computing.clear()
        if not worker.row:
            first, second = self._waiting, self._computing
            if worker.number % 2:
                first, second = second, first
            worker.row.extend((first or second).popleft() if first or second else [])
        if not worker.row:
            worker.connection.send(None)
            return
        worker.current = worker.row.popleft()
        worker.connection.send((worker.current, worker.row[0] if worker.row else None))

    def _bury(self, worker: _Worker) -> None:
        del self._workers[worker.connection]
        worker.connection.close()
        worker.process.join()
        if worker.current is None:
            return
        self._tell_broken(worker, f"the process that ran it ended with {worker.process.exitcode}")
        if worker.row:
            self._computing.appendleft(list(worker.row))
        self._start(worker.number)

    def _tell_broken(self, worker: _Worker, told: str) -> None:
        """Report what went wrong outside of a test as the failure of the test that was run last."""
        item = self._session.items[worker.current or 0]
        report = pytest.TestReport(
            nodeid=item.nodeid, location=item.location, keywords={}, outcome="failed", longrepr=told, when="call"
        )
        self._session.config.hook.pytest_runtest_logreport(report=report)

    def _end(self) -> None:
        """End those that still work, because this process was told to stop; their tests take down what they started."""
        for worker in self._workers.values():
            os.kill(worker.process.ident or 0, signal.SIGINT)
        for worker in self._workers.values():
            worker.process.join(PATIENCE_SECONDS)
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        self._workers.clear()


class _Between(pytest.Item):
    """Stands for the test after a row: what a session shares stays, what a file shares goes."""

    def runtest(self) -> NoReturn:
        raise NotImplementedError("it stands for others")


class _Telling:
    """In a fork: passes on what pytest would show, a test at a time."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self._config, self._connection = config, connection
        self._kept: list[tuple[Any, ...]] = []
        option = config.option
        # Whether somebody wants to hear of each phase, and what was written in a test that passed.
        self._shows_all = (
            option.durations is not None or option.xmlpath or not {"A", "P"}.isdisjoint(option.reportchars)
        )
        self._failed = ""
        # What was told before there was this fork is told again when somebody new begins to listen.
        self._listens = False
        config.pluginmanager.register(self)
        self._listens = True

    def tell(self, *last: tuple[Any, ...]) -> None:
        told, self._kept = [*self._kept, *last], []
        self._connection.send(told)

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._kept.append(("hook", "pytest_runtest_logstart", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._kept.append(("hook", "pytest_runtest_logfinish", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self._failed = report.nodeid
        is_shown = self._shows_all or report.nodeid == self._failed
        if report.when != "call" and not is_shown:
            return
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        # All names of the file and of its folders, which nobody asks for here.
        data["keywords"] = {}
        if not is_shown:
            data["sections"] = []
        self._kept.append(("report", data))
        if not report.passed:
            # Should what comes next end this process, it was told.
            self.tell()

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: tuple[str, int, str] | None
    ) -> None:
        if not self._listens:
            return
        told = f"{warning_message.category.__name__}: {warning_message.message}"
        plain = warnings.WarningMessage(
            UserWarning(told), UserWarning, warning_message.filename, warning_message.lineno
        )
        values = {"warning_message": plain, "when": when, "nodeid": nodeid, "location": location}
        self._kept.append(("warning", values))


def _work(session: pytest.Session, number: int, connection: Connection) -> NoReturn:
    try:
        _begin(session.config, number)
        telling = _Telling(session.config, connection)
        between = _Between.from_parent(session, name="between")
        telling.tell(("next",))
        while (order := connection.recv()) is not None:
            current, following = order
            nextitem = between if following is None else session.items[following]
            item = session.items[current]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            telling.tell(("next",))
        session._setupstate.teardown_exact(None)
        telling.tell()
    except EOFError:
        # Nobody is there any more who would hear of it.
        os._exit(1)
    except BaseException:  # noqa: BLE001 # Also an interrupt, after which nothing must stay behind.
        told = traceback.format_exc()
        session._setupstate.teardown_exact(None)
        connection.send([("broken", told)])
    # What the collecting process keeps is its own to tidy up.
    os._exit(0)


def _begin(config: pytest.Config, number: int) -> None:
    # What the collecting process does when it is stopped is not for its forks.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert threading.active_count() == 1, "a fork of threads"
    # What is to be seen is shown by the collecting process.
    config.get_terminal_writer()._file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 # Until it ends.
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.start_global_capturing()
    capture_throughout(capture)
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    own = factory.getbasetemp() / f"fork-{number}-{os.getpid()}"
    own.mkdir()
    factory._basetemp = own
    config.hook.pytest_forked(config=config, number=number)

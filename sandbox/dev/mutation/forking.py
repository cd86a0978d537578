"""A plugin of pytest: makes each change to be tried an item of its own, and runs the tests chosen for it in a fork.

The tests are collected once. A fork of the collecting process puts the change into the functions that were made from
the file and ends after the first test that fails, so that no file is ever written, and nothing of a change is left.
"""

import gc
import multiprocessing
import os
import signal
import time
import warnings
from contextlib import closing
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn
from unittest import mock

import psycopg2
import pytest
from _pytest.runner import runtestprotocol

from sandbox.dev.mutation import python, statements
from sandbox.dev.mutation.plan import (
    CONTROL,
    FOLDER,
    KILLED,
    NOT_TRIED,
    SURVIVED,
    Attempt,
    Plan,
    Result,
    note,
)
from sandbox.services.postgres import drop_database

# Where tests with a Postgres say which it is: the folder of its files and the superuser's address.
SERVER = "BALANSITY_TEST_SERVER"

_fork = multiprocessing.get_context("fork")


class _Change(pytest.Item):
    """One change: passes when a test notices it."""

    attempt: Attempt
    chosen: list[pytest.Item]

    def runtest(self) -> NoReturn:
        raise NotImplementedError("the plugin runs it")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class _Forking:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attempts = Plan.load(folder).attempts
        self._lends = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        collected = {item.nodeid: item for item in items}
        items.clear()
        for attempt in self._attempts:
            name = f"{attempt.file}:{attempt.number}"
            item: _Change = _Change.from_parent(session, name=name, nodeid=name)
            item.attempt = attempt
            item.chosen = [collected[test] for test in attempt.tests if test in collected]
            items.append(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not isinstance(item, _Change):
            return None
        begin = time.time()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        outcome, by = self._try(item)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        note(self._folder, worker, Result(item.attempt.file, item.attempt.number, outcome, by))
        missed = outcome == SURVIVED and item.attempt.file != CONTROL
        # By keyword: their order is pytest's own affair.
        report = pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="failed" if missed else "passed",
            longrepr=outcome,
            when="call",
            start=begin,
            stop=time.time(),
            duration=time.time() - begin,
        )
        item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _try(self, item: _Change) -> tuple[str, str]:
        receiver, sender = _fork.Pipe(duplex=False)
        child = _fork.Process(target=_run, args=(item, sender))
        with warnings.catch_warnings():
            # Later versions of Python warn of forks beside threads; the one of xdist only waits here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        sender.close()
        child.join(item.attempt.seconds)
        in_time = not child.is_alive()
        if child.pid is not None:
            # With all that its tests have started.
            _kill_group(child.pid)
            child.join()
            self._tidy_databases(child.pid, intact=in_time and receiver.poll())
        if not in_time:
            return KILLED, "took too long"
        try:
            outcome, by = receiver.recv()
        except EOFError:
            return KILLED, f"the process ended with {child.exitcode}"
        return outcome, by

    def _tidy_databases(self, pid: int, *, intact: bool) -> None:
        """Drop what the fork has made; and since its tests want databases, lend the next one of our own.

        Making and dropping one takes longer than most tests.
        """
        if SERVER not in os.environ:
            return
        # What it loads names the settings of Django to whoever asks, and the tests of this project may have none.
        with mock.patch.dict(os.environ):
            databases = import_module("tests.support.databases")
        server = databases.DatabaseServer.from_text(os.environ[SERVER])
        with closing(psycopg2.connect(server.admin_url, connect_timeout=10)) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database WHERE datname ~ %s", [f"^(test|empty)_{pid}_"])
                names = [name for (name,) in cursor.fetchall()]
            for name in names:
                drop_database(admin, name)
        self._lends = self._lends or bool(names)
        if self._lends:
            server.lend_to_forks(intact=intact)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _run(item: _Change, sender: Connection) -> NoReturn:
    os.setsid()
    # Should nobody wait for it any more, it still does not loop for ever.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(item.attempt.seconds) + 60)
    sender.send(_outcome(item))
    sender.close()
    # Nothing that the tests left behind is waited for.
    os._exit(0)


def _outcome(item: _Change) -> tuple[str, str]:
    if not _install(item.config.rootpath, item.attempt):
        return NOT_TRIED, "no function was made from these lines"
    for test, following in zip(item.chosen, [*item.chosen[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(test, log=False, nextitem=following)):
            return KILLED, test.nodeid
    return SURVIVED, ""


def _install(root: Path, attempt: Attempt) -> bool:
    if attempt.file == CONTROL:
        return True
    path = root / attempt.file
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        # Some are imported by the first test that needs them.
        import_module(attempt.file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        # What was frozen is not found.
        gc.unfreeze()
        try:
            return python.install(str(path), source, attempt.number)
        except ValueError:
            return False
    changed = statements.changed(source, attempt.number)
    read_text = Path.read_text

    def read_changed(self: Path, encoding: str | None = None, errors: str | None = None) -> str:
        return changed if self.resolve() == path.resolve() else read_text(self, encoding, errors)

    Path.read_text = read_changed  # type: ignore[method-assign]
    return True


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Forking(Path(os.environ[FOLDER])))

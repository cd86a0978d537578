"""Starts Python programs in a tenth of the time: a server that has loaded their modules forks for each of them.

Importing Django, Celery and the rest is most of what a start costs, and the tests start hundreds of processes. What is
forked has loaded nothing that depends on how it is started (`tests.acceptance.prepared`): it reads the environment and
the settings, and sets our applications up, as a new interpreter would. Where it does depend, a new one is started.
The demo that runs to its end, the sandbox of `./dev sandbox`, one configuration of gunicorn and one of each other
command, are started without this, as people start them.
"""

import atexit
import gc
import itertools
import multiprocessing
import os
import random
import runpy
import subprocess
import sys
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.acceptance.waiting import wait_until

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.acceptance.prepared"])
_runs = itertools.count(1)


def start_server() -> None:
    """Start it beforehand, so that forks of this process share it (`pytest --forks`)."""
    forkserver.ensure_running()


def use_inherited_server() -> None:
    """In a fork: take it that a server which was started runs, as this process is not its parent and cannot ask."""
    if forkserver._forkserver._forkserver_pid is not None:  # type: ignore[attr-defined]
        forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]


def server_address() -> str:
    """Where it listens, for a process that it started and that starts others itself (`use_server_at`)."""
    # Not the function of the module, which knows nothing of `use_inherited_server`.
    forkserver._forkserver.ensure_running()
    address: str = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]
    return address


def use_server_at(address: str) -> None:
    """In a process that the server started: let it start others, too."""
    forkserver._forkserver._forkserver_address = address  # type: ignore[attr-defined]
    if forkserver._forkserver._forkserver_alive_fd is None:  # type: ignore[attr-defined]
        # It was started anew, and has not got what keeps the server alive. That is for the tests to keep: here it is
        # any descriptor, as one has to be handed on.
        forkserver._forkserver._forkserver_alive_fd = os.pipe()[1]  # type: ignore[attr-defined]
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]


def start(
    command: list[str], environment: dict[str, str], *, folder: Path, log: Path, errors: Path | None = None
) -> ForkServerProcess:
    """Run `python command` in a session of its own, with both outputs appended to `log`, or the second one to `errors`.

    Returns when a signal to its process group would reach it.
    """
    process = _context.Process(target=_run, args=(command, environment, str(folder), str(log), str(errors or log)))
    process.start()
    pid = process.pid
    assert pid is not None
    wait_until(lambda: process.exitcode is not None or os.getpgid(pid) == pid, "it has a session of its own")
    return process


def run(
    command: list[str], environment: dict[str, str], *, folder: Path, scratch: Path, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `python command` to its end, as `subprocess.run` would; what it writes goes through files in `scratch`."""
    number = next(_runs)
    output, errors = (scratch / f"run-{number}.{name}" for name in ("output", "errors"))
    process = start(command, environment, folder=folder, log=output, errors=errors)
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(command, seconds)
    return subprocess.CompletedProcess(command, process.exitcode, output.read_text("utf-8"), errors.read_text("utf-8"))


def _run(command: list[str], environment: dict[str, str], folder: str, log: str, errors: str) -> None:
    os.setsid()
    # What the server has loaded stays, and what a start makes stays too: going over both costs half a start.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    output, trouble = (os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in (log, errors))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (output, 1), (trouble, 2)):
        os.dup2(descriptor, standard)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, folder)
    # Every fork would draw the same numbers.
    random.seed()
    if not _is_prepared(command):
        os.execve(sys.executable, [sys.executable, *command], environment)
    try:
        if command[0] == "-c":
            sys.argv = ["-c"]
            exec(command[1], {"__name__": "__main__"})  # noqa: S102 # As `python -c` does.
        elif command[0] == "-m":
            sys.argv = command[1:]
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = command
            runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()


def _is_prepared(command: list[str]) -> bool:
    """Whether what is loaded is what this program would load, once it has read its environment and settings."""
    try:
        fits: bool = import_module("tests.acceptance.prepared").suits(command[command[0] == "-m" :])
    except BaseException:  # noqa: BLE001 # Whatever is wrong, a new interpreter finds it as well, and tells of it.
        return False
    return fits

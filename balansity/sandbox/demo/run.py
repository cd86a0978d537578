"""The order of things: services, processes, the scenario, the wait for the last outcome, the verdict."""

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection
from rich.console import Console

from balansity.sandbox.demo import processes
from balansity.sandbox.demo.ending import ignore_signals
from balansity.sandbox.demo.families import register_families
from balansity.sandbox.demo.processes import CHECKOUT, Process
from balansity.sandbox.demo.scenario import MAX_RETRIES, SCENARIO, TIME_LIMIT_SECONDS
from balansity.sandbox.demo.summary import print_summary
from balansity.sandbox.demo.theatre import Theatre
from balansity.sandbox.demo.verdict import Report
from balansity.sandbox.demo.view import View
from balansity.sandbox.errors import SandboxError
from balansity.sandbox.services import Sandbox
from balansity.sandbox.state import State
from bridge.queues import registry

NAME = "demo"
FAST_SCALE = 0.2
# Between two steps, for those who watch.
STEP_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Pace:
    """`scale` shortens the delays between attempts; `pause` (seconds) separates the steps."""

    scale: float
    pause: float


PACES = {False: Pace(1.0, STEP_PAUSE_SECONDS), True: Pace(FAST_SCALE, 0.0)}


def run(console: Console, *, fast: bool, root: Path) -> int:
    """Run the demo in the sandbox `root`/demo; returns the exit code. Raises `SandboxError` when a part does not start.

    Afterwards only the mails lie there, or everything when the verdict was bad.
    """
    started, pace = time.monotonic(), PACES[fast]
    sandbox = Sandbox(NAME, root=root, seed=False, fresh=True)
    try:
        console.print("starts Postgres with pgmq, the broker and the mail server")
        with sandbox:
            report = _perform(console, sandbox, pace)
    except SystemExit:
        # A signal: nobody will look for a cause in the logs.
        _keep_mails(State(NAME, root))
        raise
    if report.exit_code == 0:
        _keep_mails(State(NAME, root))
    _say_end(console, report, sandbox.mail.directory, time.monotonic() - started)
    return report.exit_code


def _perform(console: Console, sandbox: Sandbox, pace: Pace) -> Report:
    environment = _environment(sandbox, pace)
    os.environ.update(environment)
    django.setup()
    try:
        console.print("applies the migrations, installs the wake-up")
        call_command("migrate", verbosity=0, interactive=False)
        with Path(os.devnull).open("w") as nowhere:
            call_command("install_wakeup", stdout=nowhere)
        _refuse_company()
        register_families()
        with _processes(console, sandbox.folder, environment) as started:
            with View(console, page=sandbox.environment["SANDBOX_MAIL_URL"]) as view:
                theatre = Theatre(view, sandbox.mail.directory, started, environment)
                report = theatre.perform(SCENARIO, pause=pace.pause, scale=pace.scale)
            print_summary(console, report)
            console.print("stops bridge, worker, beat and the services")
            ignore_signals()
        return report
    finally:
        connection.close()


def _environment(sandbox: Sandbox, pace: Pace) -> dict[str, str]:
    """What the processes are told: the sandbox, and everything that the expectations rest on."""
    return {
        **os.environ,
        **sandbox.environment,
        "DJANGO_SETTINGS_MODULE": "balansity.settings",
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": "info",
        "MAX_EMAIL_RETRY_ATTEMPTS": str(MAX_RETRIES),
        "EMAIL_TASK_TIME_LIMIT": str(TIME_LIMIT_SECONDS),
        "BRIDGE_DELAY_SCALE": str(pace.scale),
    }


def _refuse_company() -> None:
    # Models exist only after Django is set up.
    from bridge.heartbeat import living_bridges  # noqa: PLC0415

    names = [process.name for process in living_bridges()]
    if names:
        raise SandboxError(
            f"another bridge drains this database ({', '.join(names)}) and would take the demo's messages: "
            "stop it, or unset DATABASE_URL"
        )


@contextmanager
def _processes(console: Console, folder: Path, environment: dict[str, str]) -> Iterator[dict[str, Process]]:
    lines = ",".join([*(queue.celery_queue for queue in registry), "maintenance"])
    parts = [processes.worker(folder, lines), processes.beat(folder), processes.bridge(folder)]
    console.print(f"starts a worker with {processes.CONCURRENCY} children, beat and the bridge")
    with ThreadPoolExecutor(len(parts)) as pool:
        starts = [pool.submit(part.start, environment) for part in parts]
        try:
            for start in starts:
                start.result()
            yield {part.name: part for part in parts}
        finally:
            # What runs when another fails, or when Ctrl-C comes, goes down too; but not while it still comes up.
            wait(starts)
            list(pool.map(Process.stop, parts))


def _keep_mails(state: State) -> None:
    """Delete everything of the sandbox but the mails."""
    state.hold()
    for path in state.folder.iterdir():
        if path.name == "mail":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    state.release()


def _say_end(console: Console, report: Report, mails: Path, seconds: float) -> None:
    where = mails.relative_to(CHECKOUT) if mails.is_relative_to(CHECKOUT) else mails
    number = sum(len(result.observed.mails) for result in report.results)
    console.print(f"the {number} mails lie in {where}/ (*.eml, any mail program opens them)", highlight=False)
    if report.exit_code:
        console.print(f"the logs lie in {where.parent}/ until the next demo", highlight=False)
        console.print(
            f"NOT as expected: {len(report.differences)} differences, after {seconds:.0f} s", style="bold red"
        )
    else:
        ended = f"all {len(report.results)} messages ended as expected, after {seconds:.0f} s"
        console.print(ended, style="bold green", highlight=False)

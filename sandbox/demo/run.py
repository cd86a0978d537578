"""The order of things: services, processes, the acts, the search of the logs, the verdict."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from rich.console import Console

from sandbox.admin_login import ADMIN_NAME, ensure_admin, migrate
from sandbox.demo import processes
from sandbox.demo.cast import Reviews, perform
from sandbox.demo.ending import ignore_signals, signals_decide_the_end
from sandbox.demo.environment import FAST, NORMAL, Pace, demo_environment, secrets_in
from sandbox.demo.families import register_families
from sandbox.demo.findings import exit_code
from sandbox.demo.keepsakes import keep_results
from sandbox.demo.log_search import LogFindings, search_logs
from sandbox.demo.payments.customers import register_customers
from sandbox.demo.processes import Process
from sandbox.demo.summary import print_tables, say_end
from sandbox.demo.view import View
from sandbox.errors import SandboxError
from sandbox.services.process import free_port
from sandbox.services.sandbox import Sandbox
from sandbox.services.state import State

NAME = "demo"


def run(console: Console, *, fast: bool, root: Path) -> int:
    """Run the demo in the sandbox `root`/demo; returns the exit code. Raises `SandboxError` when a part does not start.

    Afterwards mails, reports and logs lie there, or everything when the verdict was bad.
    """
    started, pace, port = time.monotonic(), FAST if fast else NORMAL, free_port()
    variables = {**os.environ, "API_PORT": str(port)}
    sandbox = Sandbox(NAME, root=root, variables=variables, seed=False, fresh=True, stand_ins=True)
    try:
        console.print("starts Postgres with pgmq, the broker, the mail server, and stand-ins of YooKassa and Storage")
        with signals_decide_the_end(), sandbox:
            reviews, logs = _perform(console, sandbox, pace, port)
    except SystemExit:
        # A signal: nobody will look for a cause in the logs.
        keep_results(State(NAME, root), logs=False)
        raise
    code = exit_code(*reviews.acts, logs)
    if code == 0:
        keep_results(State(NAME, root), logs=True)
    say_end(console, reviews, logs, sandbox.folder, time.monotonic() - started)
    return code


def _perform(console: Console, sandbox: Sandbox, pace: Pace, port: int) -> tuple[Reviews, LogFindings]:
    environment = demo_environment(sandbox, pace, port=port)
    os.environ.update(environment)
    try:
        console.print("applies the migrations, installs the wake-ups")
        migrate()
        _refuse_company()
        register_families()
        register_customers()
        password = ensure_admin(sandbox.folder)
        with _processes(console, sandbox.folder, environment, port) as started:
            console.print(
                f"the home page of staff, as long as this runs: {environment['API_BASE_URL']}/admin/"
                f"  name {ADMIN_NAME}, password {password}",
                highlight=False,
                soft_wrap=True,
            )
            with View(console, page=sandbox.mail.page_url) as view:
                reviews = perform(
                    view,
                    sandbox,
                    started,
                    environment,
                    staff_password=password,
                    pause=pace.pause,
                    scale=pace.scale,
                )
            print_tables(console, reviews)
            console.print("stops the processes and the services")
            ignore_signals()
        # Only now are the logs complete.
        secrets = {**secrets_in(environment), "the administrator's password": password}
        return reviews, search_logs(sandbox.folder, secrets)
    finally:
        connection.close()


def _refuse_company() -> None:
    # Models exist only after Django is set up.
    from bridge.daemon.heartbeat import living_bridges  # noqa: PLC0415

    names = [process.name for process in living_bridges()]
    if names:
        raise SandboxError(
            f"another bridge drains this database ({', '.join(names)}) and would take the demo's messages: "
            "stop it, or unset DATABASE_URL"
        )


@contextmanager
def _processes(console: Console, folder: Path, environment: dict[str, str], port: int) -> Iterator[dict[str, Process]]:
    workers = [processes.worker(folder), processes.report_worker(folder)]
    parts = [processes.web(folder, port), *workers, processes.beat(folder), processes.bridge(folder)]
    console.print(
        f"starts web server, worker with {processes.CONCURRENCY} children, another worker for reports, beat and bridge"
    )
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

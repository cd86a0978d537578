"""`./dev up`: web, worker, beat and bridge on a sandbox, their lines mixed on one terminal, restarted on a change."""

import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from balansity.processes import LINES, for_python
from sandbox.admin_login import ADMIN_NAME, ensure_admin, migrate
from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT, packages
from sandbox.services.process import Service
from sandbox.services.stand_ins import DEFAULT_API_PORT, YOOKASSA_PAGE, notify

LOOK_SECONDS = 0.2
_COLOURS = {"web": 36, "worker": 32, "beat": 35, "bridge": 33, "doctor": 37}
# How long the doctor looks again until all processes have come up.
_START_SECONDS = 60


@dataclass
class Part:
    """One process of ours. Django's development server looks for changes itself."""

    name: str
    command: tuple[str, ...]
    service: Service
    environment: dict[str, str]
    reloads_itself: bool = False
    ends_itself: bool = False
    was_running: bool = False
    shown: int = 0

    def start(self) -> None:
        self.service.log.unlink(missing_ok=True)
        self.shown = 0
        self.service.start([sys.executable, *self.command], lambda: True, env=self.environment, cwd=CHECKOUT)
        self.was_running = True

    def new_lines(self) -> Iterator[str]:
        with self.service.log.open("rb") as log:
            log.seek(self.shown)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self.shown += len(line)
                yield line.decode(errors="replace").rstrip("\n")


def run(sandbox: dict[str, str], folder: Path) -> NoReturn:
    """Run it all until a signal raises here; `sandbox` is the environment of the services, `folder` its state."""
    os.environ.update(sandbox, DJANGO_SETTINGS_MODULE="balansity.settings")
    port = int(os.environ.get("API_PORT") or DEFAULT_API_PORT)
    _refuse_taken(port)
    notify(sandbox[YOOKASSA_PAGE], port)
    print("applies the migrations", flush=True)
    migrate()
    password = ensure_admin(folder)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "DEBUG": "true", "API_PORT": str(port)}
    environment["DJANGO_RUNSERVER_HIDE_WARNING"] = "true"
    token = environment["METRICS_TOKEN"] = metrics_token(environment)
    with ExitStack() as stack:
        parts = list(_parts(port, folder, environment))
        for part in parts:
            stack.callback(part.service.stop)
            part.start()
        print(f"Shop:      http://127.0.0.1:{port}/demo/")
        print(f"Admin:     http://127.0.0.1:{port}/admin/  name {ADMIN_NAME}, password {password}")
        print(f"API:       http://127.0.0.1:{port}/api/docs")
        print(f"Metrics:   curl -H 'Authorization: Bearer {token}' http://127.0.0.1:{port}/metrics")
        print(f"Mails:     {sandbox['SANDBOX_MAIL_URL']}")
        print(f"YooKassa:  {sandbox[YOOKASSA_PAGE]}")
        print("Ctrl-C stops everything.", flush=True)
        _watch(parts)


def metrics_token(environment: Mapping[str, str]) -> str:
    """That of the environment, or one of our own: without any there is no `/metrics` to try."""
    return environment.get("METRICS_TOKEN") or secrets.token_hex(16)


def _parts(port: int, folder: Path, environment: dict[str, str]) -> Iterator[Part]:
    commands = {name: for_python(line) for name, line in LINES.items()}
    # Django's own server, which reloads what was changed and shows errors.
    commands["web"] = ("manage.py", "runserver", f"127.0.0.1:{port}")
    commands["doctor"] = ("manage.py", "doctor", "--wait", str(_START_SECONDS))
    for name, command in commands.items():
        # The development server's own child hears of a stop only as a member of the group.
        service = Service(name, folder, signal.SIGTERM, group=name == "web")
        yield Part(name, command, service, environment, reloads_itself=name == "web", ends_itself=name == "doctor")


def _watch(parts: list[Part]) -> NoReturn:
    seen = _stamps()
    looked = time.monotonic()
    while True:
        for part in parts:
            _show(part)
        if time.monotonic() - looked >= 1:
            looked = time.monotonic()
            now = _stamps()
            if now != seen:
                seen = now
                _restart([part for part in parts if not (part.reloads_itself or part.ends_itself)])
        time.sleep(LOOK_SECONDS)


def _show(part: Part) -> None:
    # Asked before the lines are read, so that the last ones of a process that ended are shown first.
    running = part.service.running()
    colour = _COLOURS[part.name] if sys.stdout.isatty() else None
    for line in part.new_lines():
        print(_prefixed(part.name, line, colour))
    if part.was_running and not running:
        part.was_running = False
        if not part.ends_itself:
            print(_prefixed(part.name, "ended; it starts again when a file changes", colour))
    sys.stdout.flush()


def _prefixed(name: str, line: str, colour: int | None) -> str:
    label = f"{name:<7}|"
    return f"\x1b[{colour}m{label}\x1b[0m {line}" if colour else f"{label} {line}"


def _restart(parts: list[Part]) -> None:
    print("a file changed: restarts " + ", ".join(part.name for part in parts), flush=True)
    for part in parts:
        part.service.stop()
        part.start()


def _stamps() -> dict[Path, float]:
    """Return when each Python file of ours was written last."""
    found: dict[Path, float] = {}
    for package in packages():
        for path in (CHECKOUT / package).rglob("*.py"):
            try:
                found[path] = path.stat().st_mtime
            except FileNotFoundError:
                # An editor replaces files.
                continue
    return found


def _refuse_taken(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            raise SandboxError(
                f"port {port} of 127.0.0.1 is taken ({error.strerror}): stop what listens there, "
                "or choose another with API_PORT"
            ) from error

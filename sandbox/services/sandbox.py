"""One sandbox as a whole: starts its services together, names them to others, stops them in order."""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psycopg2
import redis

from sandbox.errors import SandboxError
from sandbox.services.broker import Broker
from sandbox.services.mail import MailService
from sandbox.services.postgres import Postgres
from sandbox.services.process import stop_leftovers
from sandbox.services.stand_ins import DEFAULT_API_PORT, NOT_SET_UP, StandIns
from sandbox.services.state import ROOT, State, abandoned
from sandbox.services.supabase import prepare

# Where these say so, services that run already are used.
DATABASE_URL, REDIS_URL = "DATABASE_URL", "REDIS_URL"

# Marks a folder whose owner did not mean to keep it.
_THROWAWAY = "throwaway"


class _Service(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Sandbox:
    """Postgres with pgmq and Supabase's side, a broker and a mailbox, for the length of a `with` block.

    `variables` (default: the process environment) may name a database or a broker to use instead of our own.
    `stand_ins` adds those of YooKassa and Supabase Storage, who are otherwise not set up.
    `durable=False` is fast and forgets what a crash of the machine interrupts. `fresh` starts from an empty folder;
    `keep=False` removes the folder at the end. Django's own tables are not made here: run `migrate`.
    """

    def __init__(
        self,
        name: str,
        *,
        root: Path = ROOT,
        variables: Mapping[str, str] | None = None,
        durable: bool = True,
        seed: bool = True,
        fresh: bool = False,
        keep: bool = True,
        stand_ins: bool = False,
    ) -> None:
        variables = os.environ if variables is None else variables
        self.state = State(name, root)
        self.environment: dict[str, str] = {}
        folder = self.state.folder
        self._foreign = {name: variables[name] for name in (DATABASE_URL, REDIS_URL) if variables.get(name)}
        self.postgres = Postgres(folder, durable=durable)
        self.broker = Broker(folder, durable=durable)
        self.mail = MailService(folder)
        self._own: list[_Service] = [self.mail]
        self.stand_ins: StandIns | None = None
        if stand_ins:
            self.stand_ins = StandIns(folder, api_port=int(variables.get("API_PORT") or DEFAULT_API_PORT))
            self._own += [self.stand_ins.yookassa, self.stand_ins.storage]
        if REDIS_URL not in self._foreign:
            self._own.append(self.broker)
        if DATABASE_URL not in self._foreign:
            self._own.append(self.postgres)
        self._seed, self._fresh, self._keep = seed, fresh, keep

    @property
    def folder(self) -> Path:
        return self.state.folder

    def start(self) -> None:
        """Start all of it. Raises `SandboxError`, with nothing left running, when a part does not come up."""
        sweep(self.state.root)
        self.state.hold()
        try:
            if self._fresh:
                self.state.clear()
            if not self._keep:
                (self.folder / _THROWAWAY).touch()
            self._start_services()
            self.environment = self._name_services()
            self.state.write_environment(self.environment)
        except BaseException:
            # Ctrl-C as well: whatever came up so far goes down again.
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all of it: the mailbox and the stand-ins first, the database last."""
        try:
            for service in self._own:
                if service is self.postgres:
                    self.postgres.stop(at_once=not self._keep)
                else:
                    service.stop()
        finally:
            if self._keep:
                self.state.release()
            else:
                self.state.forget()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_services(self) -> None:
        with ThreadPoolExecutor(len(self._own) + 1) as pool:
            started = [pool.submit(service.start) for service in self._own if service is not self.postgres]
            started.append(pool.submit(self._start_database))
            if REDIS_URL in self._foreign:
                started.append(pool.submit(_check_broker, self._foreign[REDIS_URL]))
            for future in started:
                future.result()

    def _start_database(self) -> None:
        if self.postgres in self._own:
            self.postgres.start()
        url = self._database_url()
        try:
            prepare(url, seed=self._seed)
        except psycopg2.OperationalError as error:
            raise SandboxError(f"{DATABASE_URL} names a database that cannot be reached: {error}") from error

    def _database_url(self) -> str:
        return self._foreign.get(DATABASE_URL) or self.postgres.url()

    def _name_services(self) -> dict[str, str]:
        return {
            "BALANSITY_ENV": "sandbox",
            DATABASE_URL: self._database_url(),
            REDIS_URL: self._foreign.get(REDIS_URL) or self.broker.url(),
            "EMAIL_PROVIDER": "smtp",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.mail.smtp_port),
            "SMTP_SECURITY": "none",
            # Empty means not set: a password of the real server has no business here.
            "SMTP_USER": "",
            "SMTP_PASS": "",
            "SMTP_FROM": "hello@littleotter.example",
            "SUPPORT_CONTACT": "help@littleotter.example",
            "SANDBOX_NAME": self.state.name,
            "SANDBOX_MAIL_DIR": str(self.mail.directory),
            "SANDBOX_MAIL_URL": self.mail.page_url,
            "REPORTS_DIR": str(self.folder / "reports"),
            **NOT_SET_UP,
            **(self.stand_ins.environment() if self.stand_ins else {}),
            # Nobody who watches waits longer for a front end that inserts nothing.
            "APPOINTMENT_WAIT_SECONDS": "3",
            "LOG_DIR": str(self.folder / "logs"),
            "CELERY_BEAT_SCHEDULE_FILE": str(self.folder / "celerybeat-schedule"),
        }


def without_services_of_others() -> dict[str, str]:
    """The environment of this process, in which no service is named that runs already.

    For a sandbox whose services are emptied or broken: `DATABASE_URL` of the shell is somebody's.
    """
    return {name: value for name, value in os.environ.items() if name not in (DATABASE_URL, REDIS_URL)}


def stop_all_leftovers(state: State) -> list[str]:
    """Stop what a killed owner of `state` left running; returns the names. Only its holder may call this."""
    return stop_leftovers(state.folder, last=("mailbox", "yookassa", "storage", "broker", "postgres"))


def sweep(root: Path = ROOT) -> None:
    """Stop what runs in sandboxes whose owners were killed, and remove those that were not made to be kept."""
    for state in abandoned(root):
        try:
            state.hold()
        except SandboxError:
            # Somebody else sweeps it, or starts it.
            continue
        for name in stop_all_leftovers(state):
            print(f"stopped a leftover {name} of the sandbox {state.name}", file=sys.stderr)
        if (state.folder / _THROWAWAY).exists():
            state.forget()
        else:
            state.release()


def _check_broker(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise SandboxError(f"{REDIS_URL} names a broker that cannot be reached: {error}") from error

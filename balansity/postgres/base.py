"""The backend that `DATABASES` names: Django's own, whose connections are proven before anybody uses them.

What a session holds (the search path, the time zone, that hidden rows are an error) is set when it begins, and looked
at again while it lives: poolers, and whoever shares one with us, may take it away.
"""

import logging
import math
import select
import threading
import time
from typing import Any

import psycopg2
from django.db import OperationalError
from django.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection

from balansity.postgres.pool import Kept, shared
from balansity.postgres.refusals import refusals
from balansity.postgres.schema import SCHEMA, SchemaEditor
from balansity.postgres.shared_session import LOOKS, SharedSession, prove_own_session
from bridge.budget import is_full
from bridge.postgres import at_most
from bridge.wish import ask_for_a_place

logger = logging.getLogger(__name__)

# A session may have had another client before, whose role and settings a pooler did not take away.
# With `row_security` off, a statement fails that would not see all rows of a table, and says which table that is. Our
# code takes a row that is not there for one that does not exist.
# `DateStyle` as psycopg2 wants it, and has set it before the reset.
_SET_UP = f"""
SET SESSION AUTHORIZATION DEFAULT; RESET ALL;
SET search_path TO {SCHEMA}, public; SET row_security TO off; SET DateStyle TO ISO
"""
_SESSION = """
SELECT pg_backend_pid(), session_user = current_user, current_setting('search_path'), current_setting('row_security'),
       current_setting('TimeZone')
"""
# How long a new connection may wait for a session: in a full pooler, until somebody else leaves. A task may be in the
# hand of one child after another that finds none, and must not be late by more than ten seconds for it.
SET_UP_SECONDS = 2.0
# How old the last look may be when something is about to be done in a session.
LOOK_EVERY_SECONDS = 1.0

# Keys of `DATABASES` beside Django's. What in the address speaks of a pooler in transaction mode: no proof, as an old
# `.env` may have got another port and kept its options, but then nothing is taken on trust.
HINT = "POOLER_HINT"
# What to say when the connection turns out to have no TLS.
WITHOUT_TLS = "WITHOUT_TLS"

# How long an address counts as proven when a second connection could not be had: waiting for that takes seconds.
UNDECIDED_SECONDS = 60.0

# Until when which address is proven, and what was said already. A child process takes over what its parent knew.
_proven: dict[tuple[Any, ...], float] = {}
_said: set[str] = set()
_proving = threading.Lock()


def _ask_for_a_place() -> None:
    # A web process has its own rule for when it needs one.
    if shared() is None:
        ask_for_a_place()


def _session_of(raw: Connection) -> tuple[Any, ...] | None:
    """What the session looks like, `None` where Postgres does not answer."""
    try:
        with raw.cursor() as cursor:
            cursor.execute(_SESSION)
            return cursor.fetchone()
    except psycopg2.Error:
        return None


def _is_silent(raw: Connection) -> bool:
    """Whether nothing has come: Postgres says so when it ends a session, and whoever hangs up is heard as well."""
    waiting = select.poll()
    waiting.register(raw.fileno(), select.POLLIN)
    return not waiting.poll(0)


class DatabaseWrapper(base.DatabaseWrapper):
    """Raises `SharedSession` from whatever opens the first connection to a pooler in transaction mode."""

    SchemaEditorClass = SchemaEditor
    # Django's own, which its stubs leave out.
    health_check_done: bool

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._session: tuple[Any, ...] | None = None
        self._looked_at = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether the session was set up for another thread, and is taken over as it is."""
        return self._session is not None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._session, self._looked_at = None, time.monotonic()
        pool = shared()
        if pool is None:
            return self._open(conn_params)
        kept = pool.take(lambda: self._open(conn_params), self._is_as_kept)
        self._session = kept.session
        return kept.raw

    def _open(self, conn_params: dict[str, Any]) -> Any:
        # Statements and not start-up options: the poolers in front of Supabase refuse or drop unknown ones.
        address = (*self._address(), str(self.settings_dict["PASSWORD"]))
        with refusals.turn(address):
            refusals.recall(address)
            try:
                opened = super().get_new_connection(conn_params)
            except psycopg2.OperationalError as error:
                if is_full(error):
                    _ask_for_a_place()
                refusals.note(address, error)
                raise
            refusals.forget(address)
        try:
            opened.autocommit = True
            with at_most(SET_UP_SECONDS, opened, when_slow=_ask_for_a_place), opened.cursor() as cursor:
                cursor.execute(_SET_UP)
        except BaseException:
            opened.close()
            raise
        return opened

    def connect(self) -> None:
        try:
            super().connect()
            if self._session is not None:
                # Another thread has proven it, and it was looked at just now.
                return
            with self.wrap_database_errors:
                self._prove()
                self._session = self._look()
            self._warn_without_tls()
        except BaseException:
            self.close()
            raise

    def close_if_unusable_or_obsolete(self) -> None:
        super().close_if_unusable_or_obsolete()
        pool, session = shared(), self._session
        if pool is None or self.connection is None or session is None or self.in_atomic_block:
            return
        raw, self.connection = self.connection, None
        # Django calls this when the answer is out, so that nobody waits for the look.
        if raw.info.transaction_status == TRANSACTION_STATUS_IDLE and _session_of(raw) == session:
            pool.give_back(Kept(raw, session))
        else:
            raw.close()
            pool.forget()

    def _close(self) -> None:
        pool, is_open = shared(), self.connection is not None
        try:
            super()._close()  # type: ignore[misc]  # Django's own, which its stubs leave out
        finally:
            if pool is not None and is_open:
                pool.forget()

    def is_usable(self) -> bool:
        """Whether Postgres answers, and the session is as it was set up. Costs what Django's own check costs."""
        if self.connection is None:
            return False
        try:
            seen = self._look()
        except psycopg2.Error:
            return False
        return self._is_as_set_up(seen)

    def close_if_health_check_failed(self) -> None:
        # Django looks as a request begins; bridge and workers have none, and a request may be long.
        is_between = self.connection is not None and self.autocommit and not self.in_atomic_block
        if self.health_check_done and is_between and time.monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
            self._look_between()
        super().close_if_health_check_failed()

    def _look_between(self) -> None:
        """Raise `OperationalError` for a session that is not as it was: amid a piece of work it may have held locks."""
        try:
            seen = self._look()
        except psycopg2.Error:
            # So does whatever comes next, and says so.
            return
        if not self._is_as_set_up(seen):
            self.close()
            raise OperationalError("the session in Postgres was changed by somebody else; the next one is set up anew")

    def _is_as_kept(self, kept: Kept) -> bool:
        """Whether a connection that another thread gave back can go on: Postgres answers, and it is as it was.

        As it was just now when it was given back, unless Postgres has said something since.
        """
        self._looked_at = kept.since
        if time.monotonic() - kept.since <= LOOK_EVERY_SECONDS and _is_silent(kept.raw):
            return True
        self._looked_at = time.monotonic()
        return _session_of(kept.raw) == kept.session

    def _is_as_set_up(self, seen: tuple[Any, ...]) -> bool:
        if self._session is None or seen == self._session:
            return True
        logger.warning("the session in Postgres is not as it was set up, and is given up: %s", seen[1:])
        with _proving:
            _proven.pop(self._address(), None)
        return False

    def _look(self) -> tuple[Any, ...]:
        with self.connection.cursor() as cursor:
            cursor.execute(_SESSION)
            seen: tuple[Any, ...] = cursor.fetchone()
        self._looked_at = time.monotonic()
        return seen

    def _prove(self) -> None:
        # One at a time: the second connection that this takes may be the last that is to be had.
        with _proving:
            address, hint = self._address(), self.settings_dict.get(HINT)
            if time.monotonic() < _proven.get(address, 0.0):
                return
            if prove_own_session(self.connection, self._open_second, looks=LOOKS * (2 if hint else 1)):
                _proven[address] = math.inf
            elif hint:
                raise SharedSession(f"so says {hint}, and no second connection could be had to see that it is none")
            else:
                _proven[address] = time.monotonic() + UNDECIDED_SECONDS

    def _warn_without_tls(self) -> None:
        warning = self.settings_dict.get(WITHOUT_TLS)
        if warning and warning not in _said and not self.connection.info.ssl_in_use:
            _said.add(warning)
            logger.warning("%s", warning)

    def _open_second(self) -> Connection:
        parameters = self.get_connection_params() | {"cursor_factory": None, "async_": True}
        opened: Connection = psycopg2.connect(**parameters)
        return opened

    def _address(self) -> tuple[Any, ...]:
        return tuple(str(self.settings_dict[name]) for name in ("HOST", "PORT", "NAME", "USER", "OPTIONS"))

"""A role of production's kind: no owner of anything, no superuser, and the rights that the documents name."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg2
from django.db import connections

from sandbox.packages import CHECKOUT
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase, DatabaseServer

_numbers = itertools.count(1)
DOCUMENT = CHECKOUT / "docs" / "operations.md"


class Guest:
    """The role, and the superuser who can give and take. Statements name the role as {role}."""

    def __init__(self, database: ClonedDatabase, server: DatabaseServer) -> None:
        # Of this guest alone: one that could not leave must not keep the next out.
        self.name = f"guest_{os.getpid()}_{next(_numbers)}"
        self._password = "guest"
        self._admin = psycopg2.connect(f"{server.admin_url.rpartition('/')[0]}/{database.name}", connect_timeout=10)
        self._admin.autocommit = True
        self._database = database

    @property
    def url(self) -> str:
        parts = urlsplit(self._database.url)
        return f"postgres://{self.name}:{self._password}@{parts.hostname}:{parts.port}{parts.path}"

    def admin(self, statement: str) -> None:
        """Run a statement as a superuser.

        Roles, and rights on the database `postgres`, are the whole server's: tests beside this one change them as well,
        and Postgres waits for no lock there.
        """
        wait_until(lambda: self._has_run(statement), f"nobody else changes what this does: {statement}")

    def _has_run(self, statement: str) -> bool:
        try:
            with self._admin.cursor() as cursor:
                cursor.execute(statement.replace("{role}", self.name))
        except psycopg2.errors.InternalError_ as error:
            if "tuple concurrently updated" not in str(error):
                raise
            return False
        return True

    def arrive(self) -> None:
        self.admin("CREATE ROLE {role} LOGIN PASSWORD '" + self._password + "' BYPASSRLS")
        for grant in documented_grants():
            self.admin(grant)
        # What the role would own if it had made the tables itself.
        for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
            self.admin(f"GRANT ALL ON ALL {kind} IN SCHEMA balansity TO {{role}}")
        self.admin("GRANT USAGE, CREATE ON SCHEMA balansity TO {role}")

    def leave(self) -> None:
        with closing(self._admin):
            self.admin("DROP OWNED BY {role}")
            self.admin("DROP ROLE {role}")

    def count(self, table: str) -> int:
        """How many rows there are for somebody who sees them all."""
        with self._admin.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            row = cursor.fetchone()
        assert row is not None
        return int(row[0])

    def loses_sight(self) -> None:
        self.admin("ALTER ROLE {role} NOBYPASSRLS")


def documented_grants() -> list[str]:
    """The statements of the section about rights, with {role} for the name that stands there."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Rights in the database")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return [f"{statement};" for statement in block.replace("backoffice", "{role}").split(";") if statement.strip()]


@contextmanager
def django_as(guest: Guest) -> Iterator[None]:
    """Let Django connect as that role."""
    settings = connections.databases["default"]
    before = {name: settings[name] for name in ("USER", "PASSWORD")}
    parts = urlsplit(guest.url)
    connections.close_all()
    settings.update(USER=parts.username, PASSWORD=parts.password)
    try:
        yield
    finally:
        connections.close_all()
        settings.update(before)

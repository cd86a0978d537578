"""pgmq as a real extension, of which the tables of queues are members, as up to 1.5."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql

from sandbox.services.supabase import prepare
from tests.support.databases import DatabaseServer, pgmq_sql

_UPGRADE = Path(__file__).parent / "pgmq_versions" / "upgrade_1_4_to_1_5.sql"
# `trusted`: on Supabase a role that is no superuser makes it.
_CONTROL = "default_version = '{version}'\nschema = pgmq\nrelocatable = false\ntrusted = true\nsuperuser = true\n"
_RIGHTS = "GRANT ALL ON SCHEMA pgmq TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA pgmq TO PUBLIC;\n"
# What `pgmq.create` did up to 1.5.
_JOIN = """
DO $$
DECLARE one regclass;
BEGIN
    FOR one IN SELECT oid FROM pg_class
               WHERE relnamespace = 'pgmq'::regnamespace AND relkind = 'r' AND relname ~ '^[qa]_' LOOP
        EXECUTE format('ALTER EXTENSION pgmq ADD TABLE %s', one);
    END LOOP;
END $$
"""


def write_extension(folder: Path, version: str) -> None:
    """Write the files of that version, 1.4.4 or 1.5.1, into `folder`/extension."""
    extension = folder / "extension"
    extension.mkdir()
    for name, text in {
        "pgmq.control": _CONTROL.format(version=version),
        "pgmq--1.4.4.sql": pgmq_sql("1.4").replace("CREATE SCHEMA pgmq;", "") + _RIGHTS,
        "pgmq--1.4.4--1.5.1.sql": _UPGRADE.read_text(encoding="utf-8"),
    }.items():
        (extension / name).write_text(text, encoding="utf-8")
    for path in (folder, extension, *extension.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


@contextmanager
def empty_database(server: DatabaseServer, folder: Path) -> Iterator[str]:
    """An empty database of a server that has the extension of `folder` to offer."""
    with server.empty() as url:
        with closing(psycopg2.connect(server.admin_url)) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                statement = sql.SQL("ALTER DATABASE {} SET extension_control_path TO {}")
                name = sql.Identifier(url.rpartition("/")[2])
                cursor.execute(statement.format(name, sql.Literal(f"{folder}:$system")))
        yield url


def prepare_with_extension(url: str, version: str) -> None:
    """Bring an empty database to the state of Supabase's, with pgmq as an extension that owns the queues."""
    prepare(url, seed=False, pgmq_sql="CREATE EXTENSION pgmq VERSION '1.4.4'")
    with closing(psycopg2.connect(url)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(_JOIN)
        if version != "1.4.4":
            cursor.execute("ALTER EXTENSION pgmq UPDATE")

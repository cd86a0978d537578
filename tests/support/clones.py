"""One clone of a template: whether it is still as its template but for rows, and how these are taken out of it.

Both are asked of Postgres's own statistics, as looking takes longer than many tests take: who wrote nothing into a
catalog has changed no table, and a table that nothing was written into is as empty as before. Whoever wrote has ended
by then, and has counted what he wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from tests.support.kept_sessions import KeptSession

_OURS = """ARRAY(SELECT oid FROM pg_namespace
                 WHERE nspname IN ('public', 'pgmq', 'balansity', 'auth', 'sandbox'))"""

# Whoever was given rights and has lost them leaves those of the owner behind, spelled out.
_RIGHTS = "ARRAY(SELECT unnest(coalesce({0}acl, acldefault({1}, {0}owner)))::text ORDER BY 1)"
_CLASS = _RIGHTS.format("rel", "CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\"")

# Everything but rows, by the catalog that has it.
_SHAPE = {
    "pg_class": f"""
        SELECT md5(string_agg(concat_ws(' ', oid, relname, relowner, {_CLASS}, relrowsecurity, relforcerowsecurity),
                              ',' ORDER BY oid))
        FROM pg_class WHERE relnamespace = ANY ({_OURS})""",
    "pg_proc": f"""
        SELECT concat(count(*), ' ', max(oid), md5(string_agg(concat(prosrc, {_RIGHTS.format("pro", "'f'")}), ''
                                                              ORDER BY oid)))
        FROM pg_proc WHERE pronamespace = ANY ({_OURS})""",
    "pg_trigger": "SELECT concat(count(*), ' ', max(oid)) FROM pg_trigger",
    "pg_policy": "SELECT concat(count(*), ' ', max(oid)) FROM pg_policy",
    "pg_constraint": "SELECT concat(count(*), ' ', max(oid)) FROM pg_constraint",
    "pg_namespace": f"""
        SELECT concat(count(*), ' ', max(oid), string_agg({_RIGHTS.format("nsp", "'n'")}::text, '' ORDER BY oid))
        FROM pg_namespace""",
    "pg_attribute": f"""
        SELECT md5(string_agg(format('%s %s %s %s %s', attrelid, attnum, attname, atttypid, attnotnull), ','
                              ORDER BY attrelid, attnum))
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = ANY ({_OURS})""",
    "pgmq.meta": "SELECT md5(string_agg(meta::text, ',' ORDER BY queue_name)) FROM pgmq.meta",
    "pg_attrdef": """
        SELECT md5(string_agg(format('%s %s', adrelid, pg_get_expr(adbin, adrelid)), ',' ORDER BY oid))
        FROM pg_attrdef""",
}

# What somebody has added goes again. Whatever is made has a higher number than all there was; and a queue's table has a
# row in the list of queues.
_DROP_ADDED = f"""
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP TABLE IF EXISTS %s CASCADE', oid::regclass) FROM pg_class
        WHERE oid > {{newest}} AND relkind IN ('r', 'p') AND relnamespace = ANY ({_OURS})
        UNION ALL
        SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc
        WHERE oid > {{newest}} AND prokind = 'f' AND pronamespace = ANY ({_OURS})
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger
        WHERE oid > {{newest}} AND NOT tgisinternal AND tgparentid = 0
    LOOP
        EXECUTE statement;
    END LOOP;
    DELETE FROM pgmq.meta WHERE to_regclass(format('pgmq.%I', lower('q_' || queue_name))) IS NULL;
END $$;
SELECT pg_stat_force_next_flush()
"""
_NEWEST = """
SELECT greatest((SELECT max(oid) FROM pg_class), (SELECT max(oid) FROM pg_proc), (SELECT max(oid) FROM pg_trigger))
"""

# What the template has rows in stays.
_TABLES = f"""
SELECT oid, format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = ANY ({_OURS})
  AND oid::regclass::text NOT IN ('balansity.django_migrations', 'balansity.django_content_type',
                                  'balansity.auth_permission', 'pgmq.meta')
ORDER BY oid
"""
_SEQUENCES = f"""
SELECT seqrelid, seqstart FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid
WHERE relnamespace = ANY ({_OURS})
  AND relname NOT IN ('django_migrations_id_seq', 'auth_permission_id_seq', 'django_content_type_id_seq')
"""
_OIDS = """
SELECT oid, ARRAY(SELECT one::regclass::oid::bigint FROM unnest(%s) WITH ORDINALITY AS each (one, place) ORDER BY place)
FROM pg_database WHERE datname = current_database()
"""
# Its one row stays, and says whether the samples were filled in.
_ABOUT = "sandbox.about"

# Foreign keys and triggers are none of what is done here. To change that setting throws all plans away.
_SET_UP = "SET session_replication_role TO replica; SET plan_cache_mode TO force_generic_plan"

# Ends whoever is connected, then reads how many rows were ever written. Only a case is evaluated in an order.
_LOOK = """
PREPARE look (int) AS
WITH ended AS MATERIALIZED (
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_get_activity(NULL)
    WHERE datid = {database} AND pid NOT IN (pg_backend_pid(), $1)
)
SELECT CASE WHEN (SELECT count(*) FROM ended) >= 0 THEN ARRAY(
    SELECT pg_stat_get_tuples_inserted(one) + pg_stat_get_tuples_updated(one)
           + CASE WHEN place <= {catalogs} THEN pg_stat_get_tuples_deleted(one) ELSE 0 END
    FROM unnest({relations}::oid[]) WITH ORDINALITY AS each (one, place) ORDER BY place
) END
"""
_RESTART = """
PREPARE restart AS
SELECT setval(one::regclass, start, false) FROM unnest({sequences}::oid[], {starts}::bigint[]) AS each (one, start)
WHERE pg_sequence_last_value(one::regclass) IS NOT NULL
"""
# Deleting makes none of the files that truncating does, and leaves dead rows behind.
_MANY = 1000


@dataclass(slots=True)
class Clone:
    """A clone, and the superuser's connection to it, when it is new.

    `shape` is what the catalogs of its template hold, as far as anybody has looked.
    """

    name: str
    connection: Connection
    session: KeptSession
    shape: dict[str, object]
    _tables: list[tuple[int, str]] = field(init=False)
    _written: list[int] = field(init=False)
    # By table: rows that were written since it was made, or truncated.
    _dead: dict[str, int] = field(init=False, default_factory=dict)
    # What statements are called whose plans this connection has.
    _planned: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(_SET_UP)
            cursor.execute(_TABLES)
            self._tables = cursor.fetchall()
            cursor.execute(_SEQUENCES)
            sequences = cursor.fetchall()
            cursor.execute(_OIDS, [list(_SHAPE)])
            [(database, catalogs)] = cursor.fetchall()
            relations = [*catalogs, *(oid for oid, _ in self._tables)]
            for text, values in (
                (_LOOK, {"database": database, "relations": relations, "catalogs": len(catalogs)}),
                (_RESTART, {"sequences": [oid for oid, _ in sequences], "starts": [start for _, start in sequences]}),
            ):
                cursor.execute(sql.SQL(text).format(**{name: sql.Literal(value) for name, value in values.items()}))
        if not self.shape:
            self.shape.update({catalog: self._shape_of(catalog) for catalog in _SHAPE})
            with self.connection.cursor() as cursor:
                cursor.execute(_NEWEST)
                [self.shape["newest"]] = cursor.fetchone() or [None]
        self._written = self._look()

    def close(self) -> None:
        self.session.close()
        self.connection.close()

    def fill(self, statements: Sequence[str]) -> None:
        """Execute them in one transaction, with no foreign key looked at and no trigger fired."""
        sent = [*map(self._execution_of, statements), "SELECT pg_stat_force_next_flush()"]
        with self.connection.cursor() as cursor:
            cursor.execute(";\n".join(sent))

    def empty(self) -> bool:
        """Bring it back to its template; false when it cannot be used again."""
        try:
            before, self._written = self._written, self._look()
            changes = [now - then for now, then in zip(self._written, before, strict=True)]
            catalogs, tables = changes[: len(_SHAPE)], changes[len(_SHAPE) :]
            changed = [catalog for catalog, change in zip(_SHAPE, catalogs, strict=True) if change]
            if not all(self._is_as_made(catalog) for catalog in changed) and not self._is_mended():
                return False
            self._take_out({name: change for (_, name), change in zip(self._tables, tables, strict=True) if change})
        except psycopg2.OperationalError:
            # Some tests restart Postgres, or end all that is connected.
            return False
        return True

    def empty_all(self) -> None:
        """Empty what may have been filled by others than tests: by migrations."""
        self._take_out({name: 1 for _, name in self._tables if name != _ABOUT})

    def _take_out(self, rows: dict[str, int]) -> None:
        """Empty the tables of which it is said how many rows were written into them."""
        sent = ["EXECUTE restart"]
        if rows.pop(_ABOUT, 0):
            sent.append(f"UPDATE {_ABOUT} SET seeded_at = NULL WHERE seeded_at IS NOT NULL")
        truncated = []
        for name, number in rows.items():
            self._dead[name] = self._dead.get(name, 0) + number
            if self._dead[name] > _MANY:
                truncated.append(name)
                self._dead[name] = 0
                continue
            sent.append(self._execution_of(f"DELETE FROM {name}"))
        if truncated:
            sent += [f"TRUNCATE {', '.join(truncated)} CASCADE", "SELECT pg_stat_force_next_flush()"]
        with self.connection.cursor() as cursor:
            cursor.execute(";\n".join(sent))
        if truncated:
            # It makes files of other names, which is written into a catalog.
            self._written = self._look()

    def _execution_of(self, statement: str) -> str:
        """What executes it with the plan that was made when it came first."""
        if statement in self._planned:
            return f"EXECUTE {self._planned[statement]}"
        name = self._planned[statement] = f"planned_{len(self._planned)}"
        return f"PREPARE {name} AS {statement};\nEXECUTE {name}"

    def _look(self) -> list[int]:
        with self.connection.cursor() as cursor:
            cursor.execute("EXECUTE look (%s)", [self.session.pid])
            [(written,)] = cursor.fetchall()
            return list(written)

    def _is_as_made(self, catalog: str) -> bool:
        return self._shape_of(catalog) == self.shape[catalog]

    def _is_mended(self) -> bool:
        """Drop what was added; true when these are as they were by that."""
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(sql.SQL(_DROP_ADDED).format(newest=sql.Literal(self.shape["newest"])))
            except psycopg2.errors.Error:
                # Something holds it that is nobody's table, or the list of queues is gone.
                return False
        # A view, a constraint or a sequence that was dropped with it is written elsewhere.
        self._written = self._look()
        return all(self._is_as_made(catalog) for catalog in _SHAPE)

    def _shape_of(self, catalog: str) -> object:
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(_SHAPE[catalog])
            except psycopg2.ProgrammingError:
                # Dropped.
                return None
            [(shape,)] = cursor.fetchall()
            return shape

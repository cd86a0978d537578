"""Lets Postgres tell the bridge about a new message, so that it need not wait for the next poll."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import Error, connection, transaction
from psycopg2 import sql

from bridge.pgmq import pgmq_queue

TRIGGER = "balansity_wakeup"
PGMQ_TRIGGER = "trigger_notify_queue_insert_listeners"


class Method(StrEnum):
    """`TRIGGER` is ours, once a statement. `PGMQ` is `pgmq.enable_notify_insert`, in pgmq 1.7 and newer.

    Ours is the default (`./dev bench wakeup` has the figures): pgmq's updates a throttle row for every insert, so
    producers that send at the same time wait for one another until their commits.
    """

    TRIGGER = "trigger"
    PGMQ = "pgmq"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was tried for one queue. `problem` is empty when it worked, else says why not; `statement` is what ran."""

    queue: str
    statement: str
    problem: str = ""


def installed_method(queue: str) -> Method | None:
    """Which kind of wake-up the queue has, `None` for polling only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger"
            " WHERE tgrelid = to_regclass(format('pgmq.%%I', lower('q_' || %s))) AND tgname IN (%s, %s)",
            [queue, TRIGGER, PGMQ_TRIGGER],
        )
        names = {name for (name,) in cursor.fetchall()}
    if TRIGGER in names:
        return Method.TRIGGER
    return Method.PGMQ if PGMQ_TRIGGER in names else None


def without_wakeup(queues: list[str]) -> set[str]:
    """Which of these queues, of those that there are, have none: a bridge finds their messages when it looks again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queue FROM unnest(%s::text[]) AS queue JOIN pg_class AS q ON q.relname = lower('q_' || queue)::name"
            " AND q.relnamespace = to_regnamespace('pgmq') WHERE NOT EXISTS ("
            "SELECT FROM pg_trigger WHERE tgrelid = q.oid AND tgname IN (%s, %s))",
            [queues, TRIGGER, PGMQ_TRIGGER],
        )
        return {name for (name,) in cursor.fetchall()}


def install(queue: str, method: Method) -> Installed:
    """Give the queue this kind of wake-up and no other. A refusal by Postgres is returned, not raised."""
    statements = [*_removal(queue), _creation(queue, method)]
    return _run(queue, statements)


def remove(queue: str) -> Installed:
    """Take every wake-up away; the bridge then polls."""
    return _run(queue, _removal(queue))


def _creation(queue: str, method: Method) -> sql.Composable:
    if method is Method.PGMQ:
        return sql.SQL("SELECT pgmq.enable_notify_insert({}, 0)").format(sql.Literal(queue))
    return sql.SQL(
        "CREATE TRIGGER {trigger} AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    ).format(
        trigger=sql.Identifier(TRIGGER),
        table=sql.Identifier("pgmq", f"q_{queue}"),
        # Others run this as well, who have another search path.
        function=sql.Identifier("balansity", "bridge_notify"),
    )


def _removal(queue: str) -> list[sql.Composable]:
    current = installed_method(queue)
    if current is Method.PGMQ:
        return [sql.SQL("SELECT pgmq.disable_notify_insert({})").format(sql.Literal(queue))]
    table = sql.Identifier("pgmq", f"q_{queue}")
    return [sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(TRIGGER), table)]


def _run(queue: str, statements: list[sql.Composable]) -> Installed:
    pgmq_queue(queue).look()  # Raises QueueMissing before a statement could fail in a less readable way.
    text = "; ".join(statement.as_string(connection.connection) for statement in statements)
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute("SET LOCAL lock_timeout TO '5s'")
                cursor.execute(text)
        except Error as error:
            _let_owner_in(queue)
            return Installed(queue, text, str(error).strip())
    return Installed(queue, text)


def _let_owner_in(queue: str) -> None:
    """Let the owner of the table name our function, which whoever owns neither schema nor table must be able to run."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT rolname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
               WHERE pg_class.oid = to_regclass(%s) AND NOT has_schema_privilege(relowner, 'balansity', 'USAGE')
                 AND EXISTS (SELECT FROM pg_namespace
                             WHERE nspname = 'balansity' AND pg_has_role(nspowner, 'USAGE'))""",
            [f"pgmq.q_{queue}"],
        )
        for (owner,) in cursor.fetchall():
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA balansity TO {}").format(sql.Identifier(owner)))

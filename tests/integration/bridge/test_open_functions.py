"""Functions that let strangers at the queues: found whatever they are called, and closed without anybody's loss."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from bridge.daemon.heartbeat import Heartbeat
from bridge.open_functions import KNOWN, find_open_functions
from sandbox.packages import CHECKOUT
from sandbox.storage import StorageServer
from tests.support.databases import ClonedDatabase
from tests.support.report_deliveries import ANNA, attempt, outcome_of

COUNT = "SELECT count(*) FROM pgmq.q_email_queue"
DOCUMENT = CHECKOUT / "docs" / "operations.md"


def run(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def as_anybody(role: str, statement: str) -> None:
    with transaction.atomic():
        run(f"SET LOCAL ROLE {role}")
        run("SET LOCAL row_security TO on")
        run(statement)
        transaction.set_rollback(True)


def names() -> set[str]:
    return {each.function.partition("(")[0].partition(".")[2] for each in find_open_functions()}


def close_all() -> None:
    """What is printed, run by its addressee: the owner, who is who Django is here."""
    for each in find_open_functions():
        assert run("SELECT current_user") == [(each.owner,)]
        run(each.remedy)


@pytest.mark.every_pgmq
def test_those_of_production_are_found_and_closed(database: ClonedDatabase) -> None:
    assert names() == KNOWN
    assert {each.roles for each in find_open_functions()} == {("anon", "authenticated")}
    close_all()
    assert find_open_functions() == []
    for role in ("anon", "authenticated"):
        for call in ("pgmq_read('email_queue', 1)", "queue_email_task('a@b.example', 'x', 'welcome')"):
            with pytest.raises(DatabaseError, match="permission denied for function"):
                as_anybody(role, f"SELECT public.{call}")


@pytest.mark.parametrize(
    "made",
    [
        f"CREATE FUNCTION public.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS '{COUNT}'",
        """CREATE FUNCTION public.peek(text[], OUT n int) LANGUAGE plpgsql SECURITY DEFINER AS
           'BEGIN PERFORM public.queue_email_task($1[1], null, null); END'""",
        """CREATE PROCEDURE public.peek(variadic ids uuid[]) LANGUAGE sql SECURITY DEFINER AS
           $$ SELECT pgmq.send('email_queue', '{}'::jsonb) $$""",
        f"CREATE FUNCTION public.peek() RETURNS bigint SECURITY DEFINER RETURN ({COUNT})",
        """CREATE FUNCTION public.peek("a b" text DEFAULT 'x') RETURNS void LANGUAGE sql SECURITY DEFINER AS
           'SELECT public.send_appointment_reminders()'""",
    ],
    ids=["directly", "through another", "procedure", "by the standard", "two away"],
)
def test_whatever_else_leads_to_the_queues_is_found_by_its_source(database: ClonedDatabase, made: str) -> None:
    run(made)
    assert names() == KNOWN | {"peek"}
    close_all()
    assert find_open_functions() == []


def test_an_overload_is_closed_as_well(database: ClonedDatabase) -> None:
    run("CREATE FUNCTION public.pgmq_read(q text) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert len(find_open_functions()) == len(KNOWN) + 1
    close_all()
    assert find_open_functions() == []


@pytest.mark.parametrize(
    "made",
    [
        "CREATE FUNCTION public.harmless() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        # Does what its caller could do without it: nothing.
        f"CREATE FUNCTION public.harmless() RETURNS bigint LANGUAGE sql AS '{COUNT}'",
        """CREATE FUNCTION public.harmless() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
           $$ BEGIN PERFORM pgmq.send('email_queue', '{}'); RETURN new; END $$""",
    ],
)
def test_what_opens_nothing_is_not_named(database: ClonedDatabase, made: str) -> None:
    run(made)
    assert names() == KNOWN


def test_the_schema_of_the_queues_itself_may_be_open(database: ClonedDatabase) -> None:
    run("GRANT USAGE ON SCHEMA pgmq TO anon")
    (opened, *_) = find_open_functions()
    assert (opened.function, opened.roles) == ("schema pgmq", ("anon",))
    close_all()
    assert find_open_functions() == []


def test_a_postgres_without_supabases_roles_has_nothing_to_close(
    database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.open_functions.STRANGERS", ("nobody_by_this_name",))
    assert find_open_functions() == []


def test_the_status_prints_the_statements_and_the_check_does_not_fail_for_them(
    database: ClonedDatabase, broker_url: str
) -> None:
    Heartbeat().beat(published=0, archived=0, waits_for="")
    out = io.StringIO()
    call_command("queue_status", "--check", stdout=out)
    for each in find_open_functions():
        assert each.remedy in out.getvalue()
    out = io.StringIO()
    call_command("queue_status", "--json", stdout=out)
    assert {each["remedy"] for each in json.loads(out.getvalue())["open_functions"]} == {
        each.remedy for each in find_open_functions()
    }
    close_all()
    out = io.StringIO()
    try:
        call_command("queue_status", "--check", stdout=out)
    except CommandError as error:
        pytest.fail(str(error))
    assert "REVOKE" not in out.getvalue()


def test_the_statements_of_the_documents_close_the_same(database: ClonedDatabase) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    statements = [line.strip() for line in text.splitlines() if line.strip().startswith("REVOKE EXECUTE")]
    assert len(statements) == len(KNOWN)
    for statement in statements:
        run(statement)
    assert find_open_functions() == []


def test_with_them_closed_mail_reports_and_payments_go_their_way(
    seeded_database: ClonedDatabase, storage_server: StorageServer
) -> None:
    close_all()
    before = len(run("SELECT 1 FROM pgmq.q_email_queue"))
    claims = json.dumps({"sub": str(ANNA), "role": "authenticated"})
    with transaction.atomic():
        # As the customer's browser does it, under row security.
        run(
            f"SELECT set_config('request.jwt.claims', '{claims}', true), set_config('role', 'authenticated', true),"
            " set_config('row_security', 'on', true)"
        )
        (booked,) = run(
            "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at)"
            f" SELECT '{ANNA}', id, now() + interval '24 hours' FROM public.appointment_types LIMIT 1 RETURNING id"
        )
        run("UPDATE public.assessments SET status = 'in_progress' WHERE id = 'c0000000-0000-4000-8000-000000000001'")
        run("UPDATE public.assessments SET status = 'completed' WHERE id = 'c0000000-0000-4000-8000-000000000001'")
    assert booked
    run("SELECT public.send_appointment_reminders()")
    run("UPDATE public.payments SET status = 'completed' WHERE status = 'pending'")
    templates = {template for (template,) in run("SELECT message ->> 'template' FROM pgmq.q_email_queue")}
    assert {"appointment_confirmation", "appointment_reminder_24h", "payment_confirmation"} <= templates
    assert len(run("SELECT 1 FROM pgmq.q_email_queue")) > before
    (msg_id,) = run("SELECT msg_id FROM pgmq.q_report_generation_queue")[-1]
    attempt(int(str(msg_id)))
    assert outcome_of(int(str(msg_id))) == ("succeeded", None)

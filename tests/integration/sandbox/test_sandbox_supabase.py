"""The messages of the outside contract, as the SQL functions and triggers of the sandbox send them."""

import json
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from django.db import DataError, IntegrityError, connection, transaction

from sandbox.errors import SandboxError
from sandbox.services.supabase import Prepared, prepare, sample_families
from tests.support.databases import ClonedDatabase, DatabaseServer

ANNA = "a0000000-0000-4000-8000-000000000001"
IGOR = "a0000000-0000-4000-8000-000000000002"
SESSION = "e0000000-0000-4000-8000-000000000003"
FAILED_PAYMENT = "d0000000-0000-4000-8000-000000000003"
PENDING_PAYMENT = "d0000000-0000-4000-8000-000000000006"
UNFINISHED = "c0000000-0000-4000-8000-000000000005"
QUEUES = ("email_queue", "report_generation_queue", "payment_processing_queue", "analytics_queue")


def run(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        if cursor.description is None:
            return None
        row = cursor.fetchone()
    return row[0] if row else None


def sent(queue: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT message FROM pgmq.q_{queue} ORDER BY msg_id")
        messages = [json.loads(message) for (message,) in cursor.fetchall()]
    for message in messages:
        # An ISO time with a zone: this raises for anything else.
        assert datetime.fromisoformat(message.pop("created_at")).tzinfo is not None
    return messages


@pytest.mark.every_pgmq
def test_the_four_queues_are_there_and_empty(database: ClonedDatabase) -> None:
    assert [run("SELECT queue_length FROM pgmq.metrics(%s)", queue) for queue in QUEUES] == [0, 0, 0, 0]


@pytest.mark.every_pgmq
def test_the_functions_send_what_the_contract_says(database: ClonedDatabase) -> None:
    variables = json.dumps({"payment_id": PENDING_PAYMENT, "amount": 10.5})
    run("SELECT public.queue_email_task('a@example.org', 'Тема', 'payment_failed', %s::jsonb, 3)", variables)
    run("SELECT public.queue_report_generation(%s::uuid, %s::uuid, 'csv')", UNFINISHED, ANNA)
    run("SELECT public.queue_payment_processing(%s::uuid, 'refund')", PENDING_PAYMENT)
    assert sent("email_queue") == [
        {
            "to": "a@example.org",
            "subject": "Тема",
            "template": "payment_failed",
            "variables": {"payment_id": PENDING_PAYMENT, "amount": 10.5},
            "priority": 3,
        }
    ]
    assert sent("report_generation_queue") == [{"assessment_id": UNFINISHED, "user_id": ANNA, "report_type": "csv"}]
    assert sent("payment_processing_queue") == [{"payment_id": PENDING_PAYMENT, "action": "refund"}]


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_holders_of_the_public_key_can_send_and_see_nothing(database: ClonedDatabase, role: str) -> None:
    # In one transaction: between two, our backend takes back what is not as it was set up.
    with transaction.atomic():
        run(f"SET LOCAL ROLE {role}")
        run("SELECT public.queue_email_task(p_to => 'a@example.org', p_subject => 'x', p_template => 'x')")
        with pytest.raises(Exception, match="permission denied"):
            run("SELECT count(*) FROM pgmq.q_email_queue")
        transaction.set_rollback(True)


def test_sample_data_leaves_no_message_behind(seeded_database: ClonedDatabase) -> None:
    assert [sent(queue) for queue in QUEUES] == [[], [], [], []]
    assert run("SELECT count(*) FROM public.answers WHERE value = -1") > 0
    assert run("SELECT count(*) FROM public.assessments WHERE results_summary ? 'impact'") == 1
    assert run("SELECT count(*) FROM public.assessments WHERE results_summary ? 'impact_child'") == 1


def test_a_completed_assessment_sends_report_mail_and_analytics_once(seeded_database: ClonedDatabase) -> None:
    run(
        "UPDATE public.assessments SET status = 'completed', completed_at = '2026-11-23T11:30:00Z' WHERE id = %s",
        UNFINISHED,
    )
    run("UPDATE public.assessments SET status = 'completed', current_step = 32 WHERE id = %s", UNFINISHED)
    (report,), (mail,), (analytics,) = sent("report_generation_queue"), sent("email_queue"), sent("analytics_queue")
    assert report == {
        "assessment_id": UNFINISHED,
        "user_id": "a0000000-0000-4000-8000-000000000003",
        "report_type": "pdf",
    }
    assert (mail["to"], mail["template"]) == ("leyla.guseynova@example.org", "checkup_completed")
    assert mail["variables"] == {
        "assessment_id": UNFINISHED,
        "profile_name": "Амина",
        "completed_at": "2026-11-23T11:30:00+00:00",
    }
    assert (analytics["type"], analytics["assessment_id"]) == ("assessment_completed", UNFINISHED)


def test_a_new_appointment_sends_a_confirmation(seeded_database: ClonedDatabase) -> None:
    appointment = run(
        "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at)"
        " VALUES (%s, %s, '2026-12-01T09:00:00Z') RETURNING id::text",
        ANNA,
        SESSION,
    )
    (mail,) = sent("email_queue")
    assert (mail["to"], mail["template"]) == ("anna.sokolova@example.org", "appointment_confirmation")
    assert mail["variables"] == {
        "appointment_id": appointment,
        "appointment_type": "Семейная сессия",
        "scheduled_at": "2026-12-01T09:00:00+00:00",
        "status": "scheduled",
    }


def test_a_payment_that_completes_or_fails_sends_a_mail_and_others_none(seeded_database: ClonedDatabase) -> None:
    run("UPDATE public.payments SET status = 'processing' WHERE id = %s", PENDING_PAYMENT)
    run("UPDATE public.payments SET status = 'failed' WHERE id = %s", PENDING_PAYMENT)
    run("UPDATE public.payments SET status = 'completed' WHERE id = %s", FAILED_PAYMENT)
    run("UPDATE public.payments SET status = 'refunded' WHERE id = %s", FAILED_PAYMENT)
    failed, confirmed = sent("email_queue")
    assert failed["template"] == "payment_failed"
    assert failed["variables"] == {"payment_id": PENDING_PAYMENT, "amount": 54000.0}
    assert confirmed["template"] == "payment_confirmation"
    assert confirmed["variables"] == {
        "payment_id": FAILED_PAYMENT,
        "amount": 7500.0,
        "currency": "RUB",
        "payment_method": "yookassa",
    }


@pytest.mark.parametrize(
    ("template", "inside", "outside"),
    [
        ("appointment_reminder_24h", ("23:01", "24:59"), ("22:59", "25:01")),
        ("appointment_reminder_1h", ("00:56", "01:04"), ("00:54", "01:06")),
    ],
)
def test_reminders_go_to_the_appointments_of_their_window(
    seeded_database: ClonedDatabase, template: str, inside: tuple[str, str], outside: tuple[str, str]
) -> None:
    run("DELETE FROM public.appointments")
    for distance in (*inside, *outside):
        run(
            "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at)"
            " VALUES (%s, %s, now() + %s::interval)",
            IGOR,
            SESSION,
            distance,
        )
    run("DELETE FROM pgmq.q_email_queue")
    # The second run of cron repeats itself, as in production.
    run("SELECT public.send_appointment_reminders()")
    run("SELECT public.send_appointment_reminders()")
    mails = sent("email_queue")
    assert [mail["template"] for mail in mails] == [template] * 4
    assert [set(mail["variables"]) for mail in mails] == [{"appointment_id", "scheduled_at"}] * 4


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        ("payments_amount_positive", "UPDATE public.payments SET amount = 0"),
        ("payments_status_check", "UPDATE public.payments SET status = 'paid'"),
        ("users_role_check", "UPDATE public.users SET role = 'root'"),
        ("profiles_type_check", "UPDATE public.profiles SET type = 'uncle'"),
        ("appointments_status_check", "UPDATE public.appointments SET status = 'late'"),
        ("assessments_status_check", "UPDATE public.assessments SET status = 'done'"),
        ("appointment_types_price_positive", "UPDATE public.appointment_types SET price = -1"),
        ("payments_user_id_fkey", f"DELETE FROM public.users WHERE id = '{ANNA}'"),
        ("appointments_appointment_type_id_fkey", f"DELETE FROM public.appointment_types WHERE id = '{SESSION}'"),
        ("answers_assessment_id_question_id_key", "UPDATE public.answers SET question_id = 1"),
    ],
)
def test_the_tables_hold_their_invariants(seeded_database: ClonedDatabase, constraint: str, statement: str) -> None:
    with pytest.raises((IntegrityError, DataError), match=constraint):
        run(statement)


def test_preparing_twice_changes_nothing(database_server: DatabaseServer) -> None:
    with database_server.empty() as url:
        assert prepare(url, seed=True) == Prepared(schema=True, seed=True)
        assert prepare(url, seed=True) == Prepared(schema=False, seed=False)


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE public.clients (id int)", "CREATE SCHEMA crm CREATE TABLE deals (id int)"]
)
def test_a_database_with_somebody_elses_data_is_left_alone(database_server: DatabaseServer, statement: str) -> None:
    with database_server.empty() as url:
        other = psycopg2.connect(url, connect_timeout=5)
        with other, other.cursor() as cursor:
            cursor.execute(statement)
        with pytest.raises(SandboxError, match="holds data"):
            prepare(url, seed=True)
        with other, other.cursor() as cursor:
            cursor.execute("SELECT to_regnamespace('pgmq'), to_regnamespace('sandbox'), to_regclass('public.users')")
            assert cursor.fetchone() == (None, None, None)
        other.close()


def test_a_sandbox_of_another_version_is_not_mixed_with_this_one(database_server: DatabaseServer) -> None:
    with database_server.empty() as url:
        prepare(url, seed=False)
        other = psycopg2.connect(url, connect_timeout=5)
        with other, other.cursor() as cursor:
            cursor.execute("UPDATE sandbox.about SET checksum = 'older'")
        other.close()
        with pytest.raises(SandboxError, match="--reset"):
            prepare(url, seed=False)


def test_the_families_can_live_at_a_given_moment(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sample_families(datetime(2020, 2, 29, 9, tzinfo=UTC)))
    booked = run("SELECT scheduled_at FROM public.appointments WHERE id = '10000000-0000-4000-8000-000000000003'")
    assert booked == datetime(2020, 3, 1, 9, tzinfo=UTC)
    assert run("SELECT max(created_at) < '2020-03-01' FROM public.payments")

"""The sandbox is no stricter than the world: what may be NULL there, and what strangers may do there."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.support.databases import ClonedDatabase

ANNA = "a0000000-0000-4000-8000-000000000001"
ANNAS_PAYMENT = "d0000000-0000-4000-8000-000000000001"
IGORS_PAYMENT = "d0000000-0000-4000-8000-000000000003"
IGORS_APPOINTMENT = "10000000-0000-4000-8000-000000000004"
LEYLA = "a0000000-0000-4000-8000-000000000003"
SESSION = "e0000000-0000-4000-8000-000000000003"

# What must be there; everything else may be NULL.
NOT_NULL = {
    "users": "id",
    "profiles": "id user_id type first_name",
    "assessments": "id assessment_type",
    "answers": "id assessment_id question_code question_id value",
    "payments": "id user_id amount",
    "appointment_types": "id name duration_minutes price",
    "appointments": "id user_id appointment_type_id scheduled_at",
    "packages": "id name session_count appointment_type_id price",
    "package_purchases": "id user_id package_id sessions_remaining",
    "telegram_config": "id name bot_token chat_id",
}


def rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def acting_as(role: str, user_id: str = "") -> Iterator[None]:
    """Be that role, as Supabase's REST layer is for a request; nothing of it stays."""
    with transaction.atomic():
        claims = {"sub": user_id, "role": role} if user_id else {"role": role}
        rows(
            f"SELECT set_config('request.jwt.claims', %s, true), set_config('role', '{role}', true),"
            " set_config('row_security', 'on', true)",
            json.dumps(claims),
        )
        yield
        transaction.set_rollback(True)


def test_columns_may_be_null_wherever_they_may_be_in_production(database: ClonedDatabase) -> None:
    found: dict[str, set[str]] = {}
    for table, column in rows(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND is_nullable = 'NO'"
    ):
        found.setdefault(table, set()).add(column)
    assert found == {table: set(columns.split()) for table, columns in NOT_NULL.items()}


def test_a_payment_may_stand_in_two_appointments(seeded_database: ClonedDatabase) -> None:
    rows("UPDATE public.appointments SET payment_id = %s WHERE user_id = %s", ANNAS_PAYMENT, ANNA)
    assert rows("SELECT count(*) > 1 FROM public.appointments WHERE payment_id = %s", ANNAS_PAYMENT) == [(True,)]


def test_row_security_is_on_for_every_table_of_public(database: ClonedDatabase) -> None:
    tables = (
        "SELECT relname, relrowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    assert dict(rows(tables)) == dict.fromkeys(NOT_NULL, True)


def test_new_tables_of_public_are_open_to_strangers(database: ClonedDatabase) -> None:
    rows("CREATE TABLE public.oops (secret text); INSERT INTO public.oops VALUES ('hash')")
    with acting_as("anon"):
        assert rows("DELETE FROM public.oops RETURNING secret") == [("hash",)]


def test_our_role_is_no_superuser(database: ClonedDatabase) -> None:
    assert rows("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [(False, True)]


def test_a_visitor_sees_what_is_on_sale_and_nothing_else(seeded_database: ClonedDatabase) -> None:
    with acting_as("anon"):
        for table in set(NOT_NULL) - {"appointment_types", "packages"}:
            assert rows(f"SELECT * FROM public.{table}") == [], table
        assert rows("SELECT count(*), bool_and(is_active) FROM public.appointment_types") == [(4, True)]


def test_the_service_key_sees_everything(seeded_database: ClonedDatabase) -> None:
    with acting_as("service_role"):
        assert rows("SELECT count(*) FROM public.users") == [(5,)]


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (f"INSERT INTO public.payments (user_id, amount, status) VALUES ('{ANNA}', 1, NULL) RETURNING 1", True),
        (f"INSERT INTO public.payments (user_id, amount) VALUES ('{LEYLA}', 1) RETURNING 1", False),
        (f"UPDATE public.payments SET status = 'completed' WHERE id = '{ANNAS_PAYMENT}' RETURNING 1", True),
        (f"UPDATE public.payments SET status = 'completed' WHERE id = '{IGORS_PAYMENT}' RETURNING 1", False),
        (f"DELETE FROM public.payments WHERE id = '{ANNAS_PAYMENT}' RETURNING 1", False),
        ("DELETE FROM public.appointments WHERE payment_id IS NULL RETURNING 1", True),
        (f"UPDATE public.appointments SET status = NULL WHERE id = '{IGORS_APPOINTMENT}' RETURNING 1", False),
        ("UPDATE public.package_purchases SET sessions_remaining = 99 RETURNING 1", True),
        ("DELETE FROM public.package_purchases RETURNING 1", False),
        ("UPDATE public.assessments SET results_summary = NULL RETURNING 1", True),
        ("UPDATE public.answers SET value = 3 RETURNING 1", True),
        ("DELETE FROM public.profiles RETURNING 1", True),
        ("UPDATE public.appointment_types SET price = 0 RETURNING 1", False),
        ("DELETE FROM public.users RETURNING 1", False),
    ],
)
def test_a_customer_may_write_what_the_policies_let_through(
    seeded_database: ClonedDatabase, statement: str, allowed: bool
) -> None:
    with acting_as("authenticated", ANNA):
        if allowed or not statement.startswith("INSERT"):
            assert bool(rows(statement)) == allowed
        else:
            with pytest.raises(DatabaseError, match="row-level security"):
                rows(statement)


def test_a_customer_may_become_an_admin(seeded_database: ClonedDatabase) -> None:
    with acting_as("authenticated", ANNA):
        rows("UPDATE public.users SET role = 'super_admin'")
        assert rows("SELECT count(DISTINCT user_id) > 1 FROM public.payments") == [(True,)]


def test_strangers_may_read_hide_and_archive_messages(database: ClonedDatabase) -> None:
    rows("SELECT public.queue_email_task('a@example.org', 'x', 'x')")
    with acting_as("anon"):
        ((msg_id, message),) = rows("SELECT msg_id, message FROM public.pgmq_read('email_queue', 1000000000)")
        assert json.loads(message)["to"] == "a@example.org"
        assert rows("SELECT public.pgmq_nack('email_queue', %s)", msg_id) == [(True,)]
        assert rows("SELECT public.pgmq_archive('email_queue', %s)", msg_id) == [(True,)]


def test_whoever_signs_up_gets_a_row_among_the_users(database: ClonedDatabase) -> None:
    user_id = uuid.uuid4()
    rows("INSERT INTO auth.users (id, email) VALUES (%s, 'new@example.org')", user_id)
    assert rows("SELECT email, role FROM public.users WHERE id = %s", user_id) == [("new@example.org", "user")]


def test_a_booking_gets_its_room_and_length(seeded_database: ClonedDatabase) -> None:
    book = (
        "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at) VALUES (%s, %s, now())"
        " RETURNING video_room_name LIKE 'balansity-%%', video_room_url <> '', duration_minutes, timezone"
    )
    assert rows(book, ANNA, SESSION) == [(True, True, 90, "Europe/Moscow")]


def test_telegram_without_pg_net_refuses_bookings_and_cancellations(seeded_database: ClonedDatabase) -> None:
    rows(
        "INSERT INTO public.telegram_config (name, bot_token, chat_id, is_active)"
        " VALUES ('manager_notifications', 'token', '-1', NULL)"
    )
    columns = "user_id, appointment_type_id, scheduled_at"
    for statement in (
        f"INSERT INTO public.appointments ({columns}) VALUES ('{ANNA}', '{SESSION}', now())",
        f"UPDATE public.appointments SET status = 'cancelled' WHERE id = '{IGORS_APPOINTMENT}'",
    ):
        with pytest.raises(DatabaseError, match='schema "net" does not exist'):
            rows(statement)

"""Mails, reports and payments as customers cause them: as many as are asked for, each of a family of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import requests

from sandbox.bench.rig import execute, value
from sandbox.demo.families import MARINA
from sandbox.demo.payments.till import Till
from sandbox.demo.reports.results import RESULTS
from sandbox.frontend import HttpApi, Order, Tab

PRICE = "16000.00"
_PACKAGE, _CONSULTATION = "md5('package of the benchmark')::uuid", "md5('consultation of the benchmark')::uuid"
_FAMILIES = """
INSERT INTO auth.users (id, email)
SELECT md5(%(name)s || n)::uuid, %(name)s || n || '@mail.example' FROM generate_series(1, %(count)s) AS n
"""


@dataclass(frozen=True, slots=True)
class Errands:
    """Messages of one queue that may go. `done` is how many of them had the effect that they are for."""

    queue: str
    count: int
    send: Callable[[], None]
    done: Callable[[], int]


def make_packages() -> None:
    """What payments are for."""
    execute(
        f"""INSERT INTO public.appointment_types (id, name, duration_minutes, price)
            VALUES ({_CONSULTATION}, 'Консультация', 50, 4500);
            INSERT INTO public.packages (id, name, session_count, appointment_type_id, price)
            VALUES ({_PACKAGE}, 'Четыре консультации', 4, {_CONSULTATION}, {PRICE})"""
    )


def mails(name: str, count: int) -> Errands:
    """The one that most payers get."""
    values = {"name": name, "count": count}
    execute(_FAMILIES, values)
    statement = """
        SELECT pgmq.send_batch('email_queue', array_agg(jsonb_build_object(
            'to', %(name)s || n || '@mail.example', 'subject', 'Оплата прошла', 'template', 'payment_confirmation',
            'variables', jsonb_build_object('payment_id', md5(%(name)s || n)::uuid, 'amount', 4500.00,
                                            'currency', 'RUB', 'payment_method', 'yookassa'),
            'priority', 0, 'created_at', now())))
        FROM generate_series(1, %(count)s) AS n"""
    sent = "SELECT count(*) FROM notifications_emailmessage WHERE status = 'sent' AND recipient LIKE %s"
    return Errands("email_queue", count, lambda: execute(statement, values), lambda: value(sent, [f"{name}%"]))


def reports(name: str, count: int) -> Errands:
    """Each of a check-up that ended, asked for by the function that Supabase's triggers call."""
    values = {"name": name, "count": count, "results": json.dumps(RESULTS[MARINA])}
    execute(_FAMILIES, values)
    execute(
        """INSERT INTO public.profiles (id, user_id, type, first_name, dob)
           SELECT md5('child of ' || %(name)s || n)::uuid, md5(%(name)s || n)::uuid, 'child', 'Лев', '2017-04-12'
           FROM generate_series(1, %(count)s) AS n;
           INSERT INTO public.assessments (id, profile_id, assessment_type, status, current_step, total_steps,
                                           results_summary, started_at, completed_at)
           SELECT md5('checkup of ' || %(name)s || n)::uuid, md5('child of ' || %(name)s || n)::uuid, 'checkup',
                  'completed', 32, 32, %(results)s, now() - interval '1 hour', now()
           FROM generate_series(1, %(count)s) AS n""",
        values,
    )
    statement = """
        SELECT pgmq.send_batch('report_generation_queue', array_agg(jsonb_build_object(
            'assessment_id', md5('checkup of ' || %(name)s || n)::uuid, 'user_id', md5(%(name)s || n)::uuid,
            'report_type', 'pdf', 'created_at', now())))
        FROM generate_series(1, %(count)s) AS n"""
    made = """SELECT count(*) FROM reports_report, generate_series(1, %s) AS n
              WHERE user_id = md5(%s || n)::uuid AND status = 'stored'"""
    return Errands(
        "report_generation_queue", count, lambda: execute(statement, values), lambda: value(made, [count, name])
    )


def payments(name: str, count: int, *, api: str, till: Till) -> Errands:
    """Begun by the front end and paid at the till, which keeps its notifications: what is left is to check and give."""
    execute(_FAMILIES, {"name": name, "count": count})
    package = str(value(f"SELECT {_PACKAGE}::text"))
    till.notify(hold=True)
    begun = [_begin(f"{name}{number}", package, api) for number in range(1, count + 1)]
    for one in till.payments():
        if one.payment_id in begun:
            till.pay(one.id)
    statement = """
        SELECT pgmq.send_batch('payment_processing_queue', array_agg(jsonb_build_object(
            'payment_id', id, 'action', 'verify', 'created_at', now())))
        FROM unnest(%s::text[]) AS id"""
    given = "SELECT count(*) FROM payments_fulfilment WHERE payment_id = ANY (%s::uuid[])"
    return Errands(
        "payment_processing_queue", count, lambda: execute(statement, [begun]), lambda: value(given, [begun])
    )


def _begin(who: str, package: str, api: str) -> str:
    user_id = str(value("SELECT md5(%s)::uuid::text", [who]))
    answer = Tab(user_id, HttpApi(api), email=f"{who}@mail.example").create(Order.package(package, PRICE))
    if answer.status != requests.codes.ok:
        raise SystemExit(f"a payment could not be begun: {answer.status} {answer.error}")
    return answer.payment_id

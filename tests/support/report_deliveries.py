"""Messages of the report queue, delivered as the worker's child does it, without the bridge and the broker between."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from bridge import outcome
from bridge.message import Message
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.queues import registry
from notifications.queue import QUEUE as EMAIL_QUEUE
from reports.content.loading import load_report
from reports.document.rendering import render
from reports.errors import ReportError
from reports.making.outcomes import start_report, store_report
from reports.models import Leftover, Report
from reports.queue import QUEUE, ReportRequest
from reports.storage.storage import upload_document
from reports.tasks import generate_report
from tests.support import deliveries

# Of the seed: two families with results, a check-up that is not finished, one that is not calculated, one abandoned.
ANNA = UUID("a0000000-0000-4000-8000-000000000001")
IGOR = UUID("a0000000-0000-4000-8000-000000000002")
LEYLA = UUID("a0000000-0000-4000-8000-000000000003")
ALEKSANDRA = UUID("a0000000-0000-4000-8000-000000000004")
MARIA_CHECKUP = UUID("c0000000-0000-4000-8000-000000000001")
ARTYOM_CHECKUP = UUID("c0000000-0000-4000-8000-000000000003")
AMINA_IN_PROGRESS = UUID("c0000000-0000-4000-8000-000000000005")
NOT_CALCULATED = UUID("c0000000-0000-4000-8000-000000000006")
ABANDONED = UUID("c0000000-0000-4000-8000-000000000007")
NOWHERE = UUID("c0000000-0000-4000-8000-00000000ffff")


def report_queue() -> PgmqQueue:
    return pgmq_queue(QUEUE)


def message_body(assessment_id: UUID = MARIA_CHECKUP, user_id: UUID = ANNA, kind: str = "pdf") -> dict[str, Any]:
    return {
        "assessment_id": str(assessment_id),
        "user_id": str(user_id),
        "report_type": kind,
        "created_at": "2026-11-23T11:30:00+00:00",
    }


def enqueue(assessment_id: UUID = MARIA_CHECKUP, user_id: UUID = ANNA, kind: str = "pdf") -> int:
    return report_queue().send(message_body(assessment_id, user_id, kind))


def claim(msg_id: int) -> Message:
    return deliveries.claim(QUEUE, msg_id)


def attempt(msg_id: int) -> None:
    """Run one attempt of the message, however it ends."""
    deliveries.attempt(generate_report, msg_id, ReportError)


class SteppedAttempt:
    """One attempt, step by step, so that others can come between."""

    def __init__(self, msg_id: int) -> None:
        self.message = claim(msg_id)
        self.request = ReportRequest.parse(self.message.body)
        self.report = start_report(message=self.message, request=self.request)

    def upload(self) -> None:
        self.data = load_report(self.request.assessment_id, user_id=self.request.user_id)
        self.document = render(self.data, self.request.kind)
        self.key = upload_document(self.report, self.document)

    def finish(self) -> None:
        outcome.succeed(registry.get(QUEUE), self.message, self.record)

    def record(self) -> None:
        store_report(
            report=self.report,
            message=self.message,
            document=self.document,
            key=self.key,
            profile_name=self.data.name,
        )


def make(assessment_id: UUID = MARIA_CHECKUP, user_id: UUID = ANNA, kind: str = "pdf") -> Report:
    """Ask for a report, run one attempt and return its row."""
    attempt(enqueue(assessment_id, user_id, kind))
    return Report.objects.get(assessment_id=assessment_id, user_id=user_id, kind=kind)


def outcome_of(msg_id: int) -> tuple[str, str | None]:
    """Outcome and reason in the archive."""
    return deliveries.outcome_of(QUEUE, msg_id)


def queued_mails() -> list[dict[str, Any]]:
    """Bodies of the messages in the mail queue, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT message::text FROM pgmq.q_{EMAIL_QUEUE} ORDER BY msg_id")
        return [json.loads(text) for (text,) in cursor.fetchall()]


def queued_reports() -> list[dict[str, Any]]:
    """Bodies of the messages in the report queue, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT message::text FROM pgmq.q_{QUEUE} ORDER BY msg_id")
        return [json.loads(text) for (text,) in cursor.fetchall()]


def make_leftovers_due() -> None:
    Leftover.objects.update(due_at=timezone.now())


def change_results(assessment_id: UUID = MARIA_CHECKUP, score: int = 19) -> None:
    """Give the assessment another result, as a corrected scoring would."""
    _execute(
        "UPDATE public.assessments SET results_summary = jsonb_set(results_summary, '{emotional,score}', %s::jsonb)"
        " WHERE id = %s",
        [str(score), assessment_id],
    )


def delete_message(msg_id: int) -> None:
    """Remove a message from the report queue, as a person with psql would."""
    _execute(f"DELETE FROM pgmq.q_{QUEUE} WHERE msg_id = %s", [msg_id])


def sent_ago(msg_id: int, age: timedelta) -> None:
    """Let a message have been in the queue for so long."""
    _execute(f"UPDATE pgmq.q_{QUEUE} SET enqueued_at = now() - %s WHERE msg_id = %s", [age, msg_id])


def give_away(assessment_id: UUID, to: UUID) -> None:
    """Let the profile of an assessment belong to another user, as support does after a mistake."""
    _execute(
        "UPDATE public.profiles SET user_id = %s WHERE id = (SELECT profile_id FROM public.assessments WHERE id = %s)",
        [to, assessment_id],
    )


def delete_assessment(assessment_id: UUID) -> None:
    _execute("DELETE FROM public.assessments WHERE id = %s", [assessment_id])


def set_email(user_id: UUID, email: str | None) -> None:
    _execute("UPDATE public.users SET email = %s WHERE id = %s", [email, user_id])


def _execute(statement: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount == 1

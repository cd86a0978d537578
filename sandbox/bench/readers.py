"""Customers who download their reports from a storage that says nothing."""

import uuid

from django.apps import apps
from django.utils import timezone

from sandbox.bench.payers import CUSTOMERS, Call, customer
from sandbox.bench.rig import execute


def readers() -> list[Call]:
    """Each has a report that is stored, as far as the database knows."""
    return [_reader() for _ in range(CUSTOMERS)]


def _reader() -> Call:
    # The rig sets Django up, so no model can be imported with this module.
    report = apps.get_model("reports", "Report")
    user_id, profile_id, assessment_id = customer(), str(uuid.uuid4()), str(uuid.uuid4())
    execute(
        "INSERT INTO public.profiles (id, user_id, type, first_name) VALUES (%s, %s, 'child', 'Маша')",
        [profile_id, user_id],
    )
    execute(
        "INSERT INTO public.assessments (id, profile_id, assessment_type, status)"
        " VALUES (%s, %s, 'checkup', 'completed')",
        [assessment_id, profile_id],
    )
    made = report.objects.create(
        assessment_id=assessment_id,
        user_id=user_id,
        kind="pdf",
        is_confirmed=True,
        status="stored",
        queue="report_generation_queue",
        msg_id=1,
        storage_key=f"{user_id}/{assessment_id}/report.pdf",
        sha256="0" * 64,
        size=1,
        pages=3,
        duration_ms=1,
        stored_at=timezone.now(),
    )
    return Call("GET", f"/api/reports/{made.pk}/file", user_id)

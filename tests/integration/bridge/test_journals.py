"""Whatever the bridge ends a message for, every package can note it: a new reason must not cost anybody an outcome."""

from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from bridge.message import LastError, Message, Reason, Token
from bridge.queues import registry
from notifications.models import EmailMessage
from reports.models import Report
from sandbox.probe.apps import QUEUE as PROBE_QUEUE
from tests.support.email_samples import message_body
from tests.support.report_deliveries import ANNA, MARIA_CHECKUP

pytestmark = pytest.mark.usefixtures("seeded_database")

BODIES = {
    "email_queue": message_body("payment_failed"),
    "payment_processing_queue": {"payment_id": str(uuid4()), "action": "verify"},
    "report_generation_queue": {
        "assessment_id": str(MARIA_CHECKUP),
        "user_id": str(ANNA),
        "report_type": "pdf",
    },
    PROBE_QUEUE: {},
}


@pytest.mark.parametrize("name", BODIES)
def test_every_journal_takes_every_reason(name: str) -> None:
    queue = registry.get(name)
    for number, reason in enumerate(Reason, 1):
        now = timezone.now()
        message = Message(name, Token(number, now), read_ct=1, enqueued_at=now, body=BODIES[name])
        with transaction.atomic():
            queue.journal.failed(message, reason, LastError("SomeError", "why"))
        if name == "email_queue":
            assert EmailMessage.objects.get(msg_id=number).reason == reason
        if name == "report_generation_queue":
            Report.objects.get(msg_id=number, status="failed", error="why")
            Report.objects.all().delete()


def test_no_queue_is_forgotten() -> None:
    assert {queue.name for queue in registry} == BODIES.keys()

"""Messages of the payment queue and the payments that they are about: the way from either to the other."""

import json
import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from bridge.admin.addresses import may_see_messages, ways_to_messages
from bridge.admin.subjects import Shown, Subject, tell_subjects
from bridge.errors import InvalidMessage
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.postgres import first_line, is_outage
from payments.models import Payment, ProviderNotification
from payments.queue import QUEUE, ProcessingRequest
from staff.elsewhere import Way
from wording.russian import order_number

logger = logging.getLogger(__name__)

MOST = 10
# Of a payment that does not say when it was made.
LATELY = timedelta(days=30)


def payment_subjects(request: HttpRequest, shown: Sequence[Shown]) -> dict[int, Subject]:
    may = request.user.has_perm("payments.view_payment")
    found: dict[int, Subject] = {}
    for one in shown:
        try:
            payment_id = ProcessingRequest.parse(json.loads(one.text or "null")).payment_id
        except (InvalidMessage, ValueError, RecursionError):
            continue
        address = reverse("admin:payments_payment_change", args=[payment_id]) if may else ""
        found[one.msg_id] = Subject(f"№ {order_number(payment_id)}", address)
    return found


def messages_about(request: HttpRequest, payment: Payment) -> list[Way]:
    """The newest messages about a payment: those of its notifications, and what else is found at once."""
    if not may_see_messages(request):
        return []
    noticed = ProviderNotification.objects.filter(payment_id=payment.pk, msg_id__gt=0).order_by("-msg_id")
    ids = {msg_id or 0 for msg_id in noticed.values_list("msg_id", flat=True)[:MOST]} | {*_found(payment)}
    return ways_to_messages(request, QUEUE, sorted(ids, reverse=True)[:MOST])


def _found(payment: Payment) -> list[int]:
    """The page says the rest without them, where the queue cannot be looked at."""
    since = payment.created_at or timezone.now() - LATELY
    try:
        with transaction.atomic():
            return pgmq_queue(QUEUE).about("payment_id", str(payment.pk), since=since, limit=MOST)
    except QueueMissing:
        return []
    except DatabaseError as error:
        if is_outage(error):
            raise
        logger.warning("messages about a payment are not shown, Postgres says: %s", first_line(error))
        return []


tell_subjects(QUEUE, payment_subjects)

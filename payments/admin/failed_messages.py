"""Which payment a failed message of the payment queue is about, for the page of failed messages."""

import json
from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import reverse

from bridge.admin.subjects import Subject, tell_subjects
from bridge.errors import InvalidMessage
from bridge.sql.rows import FailedMessage
from payments.queue import QUEUE, ProcessingRequest
from wording.russian import order_number


def payment_subjects(request: HttpRequest, failed: Sequence[FailedMessage]) -> dict[int, Subject]:
    may = request.user.has_perm("payments.view_payment")
    found: dict[int, Subject] = {}
    for one in failed:
        try:
            payment_id = ProcessingRequest.parse(json.loads(one.text or "null")).payment_id
        except (InvalidMessage, ValueError, RecursionError):
            continue
        address = reverse("admin:payments_payment_change", args=[payment_id]) if may else ""
        found[one.msg_id] = Subject(f"№ {order_number(payment_id)}", address)
    return found


tell_subjects(QUEUE, payment_subjects)

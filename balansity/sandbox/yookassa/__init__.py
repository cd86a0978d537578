"""A stand-in for YooKassa: its API v3 with a payment page and notifications, which misbehaves on request.

Faithful where a shop could notice: authorization, idempotence, validation, errors, states, lists, notifications.
It keeps nothing when it stops.
"""

from balansity.sandbox.yookassa.errors import ApiError
from balansity.sandbox.yookassa.faults import Fault, FaultKind
from balansity.sandbox.yookassa.journal import ApiCall
from balansity.sandbox.yookassa.notifications import NotificationAttempt, Notifications
from balansity.sandbox.yookassa.records import REASONS, Status
from balansity.sandbox.yookassa.server import YooKassaServer

__all__ = [
    "REASONS",
    "ApiCall",
    "ApiError",
    "Fault",
    "FaultKind",
    "NotificationAttempt",
    "Notifications",
    "Status",
    "YooKassaServer",
]

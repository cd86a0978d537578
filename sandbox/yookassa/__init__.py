"""A stand-in for YooKassa: its API v3 with a payment page and notifications, which misbehaves on request.

Faithful where a shop could notice: authorization, idempotence, validation, errors, states, lists, notifications.
It keeps nothing when it stops.
"""

from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.faults import Fault, FaultKind
from sandbox.yookassa.journal import ApiCall
from sandbox.yookassa.notifications import NotificationAttempt, Notifications
from sandbox.yookassa.records import REASONS, Status
from sandbox.yookassa.server import YooKassaServer

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

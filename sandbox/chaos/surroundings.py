"""What the processes are told, and what is in Supabase's tables before the load begins."""

import uuid
from decimal import Decimal

from django.db import connection, transaction

from bridge.queues import BUNDLE_SECONDS
from sandbox.demo.environment import played_environment
from sandbox.services.sandbox import Sandbox

# Leases are as short as they may be, so that a stop outlasts them: it is what a paused machine does in production.
DISPATCH_LEASE = 4
TIME_LIMITS = {"email_queue": 5, "payment_processing_queue": 8, "report_generation_queue": 15}
LEASE_MARGIN = 1
# As `bridge.queues.Queue.run_lease` has it.
LEASES = {queue: limit + BUNDLE_SECONDS + LEASE_MARGIN for queue, limit in TIME_LIMITS.items()}
MAIL_LEASE = LEASES["email_queue"]
LIMITS = {"email_queue": 6, "payment_processing_queue": 6, "report_generation_queue": 4}
DELAY_SCALE = 0.3
PROVIDER_SECONDS = 1.5
STORAGE_SECONDS = 3

DOMAIN = "families.example"
CONSULTATION, PACKAGE = "c4a05000-0000-4000-8000-000000000001", "c4a05000-0000-4000-8000-000000000002"
# With kopecks, so that a sum that is rounded anywhere is found.
CONSULTATION_PRICE, PACKAGE_PRICE = Decimal("4500.37"), Decimal("16000.91")

_ON_SALE = """
INSERT INTO public.appointment_types (id, name, duration_minutes, price)
VALUES (%(kind)s, 'Консультация', 50, %(price)s);
INSERT INTO public.packages (id, name, session_count, appointment_type_id, price)
VALUES (%(package)s, 'Четыре консультации', 4, %(kind)s, %(package_price)s)
"""
_ASSESSMENTS = """
SELECT a.id::text, p.user_id::text FROM public.assessments AS a JOIN public.profiles AS p ON p.id = a.profile_id
WHERE a.status = 'completed' AND a.results_summary <> '{"status": "completed"}' ORDER BY a.id
"""


def chaos_environment(sandbox: Sandbox, *, port: int) -> dict[str, str]:
    """The environment of every process of ours, with the API on `port`."""
    return {
        **played_environment(sandbox, port=port),
        "DJANGO_SETTINGS_MODULE": "sandbox.chaos.settings",
        "LOG_FORMAT": "text",
        "YUKASSA_READ_TIMEOUT": str(PROVIDER_SECONDS),
        "REPORTS_STORAGE_TIMEOUT": str(STORAGE_SECONDS),
        "WORKER_CONCURRENCY": "2",
        "WORKER_INTERVAL_MS": "500",
        "EMAIL_EXTRA_RECIPIENTS": DOMAIN,
        # A family that asks for its reports all the time is told of each.
        "EMAIL_HOURLY_LIMIT": "100000",
        "EMAIL_TIMEOUT": "4",
        "EMAIL_TASK_TIME_LIMIT": str(TIME_LIMITS["email_queue"]),
        "PAYMENT_TASK_TIME_LIMIT": str(TIME_LIMITS["payment_processing_queue"]),
        "REPORT_TASK_TIME_LIMIT": str(TIME_LIMITS["report_generation_queue"]),
        "MAX_EMAIL_RETRY_ATTEMPTS": str(LIMITS["email_queue"] - 1),
        "MAX_PAYMENT_RETRY_ATTEMPTS": str(LIMITS["payment_processing_queue"] - 1),
        "MAX_REPORT_RETRY_ATTEMPTS": str(LIMITS["report_generation_queue"] - 1),
        "BRIDGE_DISPATCH_LEASE": str(DISPATCH_LEASE),
        "BRIDGE_LEASE_MARGIN": str(LEASE_MARGIN),
        "BRIDGE_DELAY_SCALE": str(DELAY_SCALE),
    }


def put_on_sale() -> None:
    """What customers buy."""
    values: dict[str, str | Decimal] = {
        "kind": CONSULTATION,
        "price": CONSULTATION_PRICE,
        "package": PACKAGE,
        "package_price": PACKAGE_PRICE,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ON_SALE, values)


def assessments() -> list[tuple[str, str]]:
    """The assessments of the sample families whose results are calculated, and whose they are."""
    with connection.cursor() as cursor:
        cursor.execute(_ASSESSMENTS)
        return [(assessment, user) for assessment, user in cursor.fetchall()]


def customer_id(seed: int, number: int) -> str:
    """The same in every run of a seed."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"chaos:{seed}:{number}"))

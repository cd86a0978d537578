"""From the arrival of YooKassa's notifications to the end of our answer, by which each is committed with its check."""

import http.client
import json
import random
import uuid
from decimal import Decimal

import psutil
from django.apps import apps

from balansity.processes import WEB, for_python
from bridge import wakeup
from bridge.wakeup import Method
from payments.queue import QUEUE
from payments.states import PaymentStatus, ProviderStatus
from sandbox.bench import open_loop
from sandbox.bench.payers import CUSTOMERS, SilentProvider, waiting_payers
from sandbox.bench.report import Figure, median, percentile, show
from sandbox.bench.rig import Rig, await_true, execute, rig, value
from sandbox.services.process import free_port
from wording.russian import order_number

RATE = 100.0
SECONDS = 10.0
ROUNDS = 3
PAYMENTS = 500
# A process whose threads all wait makes it thousands.
MOST_TIMES = 2.0
PATH = "/api/webhook/yookassa"


def run() -> bool:
    """Gunicorn as shipped, on a database that syncs its commits; the baseline is the same server without a database."""
    health: list[float] = []
    ours: list[float] = []
    beside_health: list[float] = []
    beside_ours: list[float] = []
    with rig("webhook") as built:
        wakeup.install(QUEUE, Method.TRIGGER)
        bodies = _notifications(_make_payments())
        provider = SilentProvider()
        port, web = _start_gunicorn(built, provider)
        # The first ones open connections and import code.
        open_loop.send(port, *_schedule([open_loop.get("/health")], seconds=1))
        sent = len(open_loop.send(port, *_schedule(bodies, seconds=1)))
        processor = 0.0
        for number in range(1, ROUNDS + 1):
            before = _processor_seconds(web)
            health += open_loop.send(port, *_schedule([open_loop.get("/health")], seconds=SECONDS))
            latest = open_loop.send(port, *_schedule(bodies, seconds=SECONDS))
            ours += latest
            sent += len(latest)
            processor += _processor_seconds(web) - before
            print(f"round {number}: {median(latest):.1f} ms, p99 {percentile(latest, 99):.1f} ms", flush=True)
            with waiting_payers(port, provider):
                beside_health += open_loop.send(port, *_schedule([open_loop.get("/health")], seconds=SECONDS))
                beside_ours += open_loop.send(port, *_schedule(bodies, seconds=SECONDS))
        provider.close()
        per_request = processor * 1000 / (len(ours) + len(health))
        sent += len(beside_ours)
        stored = value("SELECT count(*) FROM payments_providernotification WHERE status = 'stored' AND trusted")
        queued = value(f"SELECT count(*) FROM pgmq.q_{QUEUE}")
    if (stored, queued) != (sent, sent):
        raise SystemExit(f"{sent} notifications were answered, {stored} stored and {queued} queued")
    return show(
        "webhook",
        [
            Figure("notification, p50", median(ours), "ms"),
            Figure("notification, p99", percentile(ours, 99), "ms", most=20),
            Figure("notification, slowest", max(ours), "ms"),
            Figure("/health, p50", median(health), "ms"),
            Figure("/health, p99", percentile(health, 99), "ms"),
            Figure("notification / health, p50", median(ours) / median(health), "times"),
            Figure("notification / health, p99", percentile(ours, 99) / percentile(health, 99), "times"),
            Figure("beside a silent YooKassa: notification, p99", percentile(beside_ours, 99), "ms"),
            Figure("beside it / without, notification, p99", _times(beside_ours, ours), "times", most=MOST_TIMES),
            Figure("beside it / without, /health, p99", _times(beside_health, health), "times", most=MOST_TIMES),
            Figure("web processes, processor time a request of either kind", per_request, "ms"),
        ],
        notes=[
            f"{RATE:.0f} requests a second at random times, {SECONDS:.0f} s a round, {ROUNDS} rounds in turn;",
            "each over a new connection, from its time to the end of the answer; /health touches no database;",
            f"beside a silent YooKassa {CUSTOMERS} customers start payments, and come again when they are told to;",
            f"{sent:,} notifications were answered with 200, and as many are stored with their check",
        ],
    )


def _times(beside: list[float], without: list[float]) -> float:
    return percentile(beside, 99) / percentile(without, 99)


def _start_gunicorn(built: Rig, provider: SilentProvider) -> tuple[int, psutil.Process]:
    port = free_port()
    shop = {"YUKASSA_SHOP_ID": "100500", "YUKASSA_SECRET_KEY": "test_of-a-silent-shop"}
    process = built.start(*for_python(WEB), API_PORT=str(port), YUKASSA_API_URL=provider.api_url, **shop)
    await_true(lambda: _answers(port), seconds=60)
    return port, psutil.Process(process.pid)


def _processor_seconds(web: psutil.Process) -> float:
    """What gunicorn and its workers used up so far: tells a slow server from a busy machine."""
    return sum(sum(process.cpu_times()[:2]) for process in (web, *web.children()))


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        # It starts: nobody listens yet, or nobody answers in time.
        return False
    finally:
        connection.close()


def _make_payments() -> list[tuple[str, str]]:
    """Payments that wait for their payers; returns our id and YooKassa's of each."""
    # The rig sets Django up, so no model can be imported with this module.
    payment, checkout = apps.get_model("payments", "Payment"), apps.get_model("payments", "Checkout")
    user_id, amount = uuid.uuid4(), Decimal("4500.00")
    execute("INSERT INTO auth.users (id) VALUES (%s)", [str(user_id)])
    ids = [(uuid.uuid4(), f"2f{uuid.uuid4().hex}") for _ in range(PAYMENTS)]
    payment.objects.bulk_create(
        payment(pk=pk, user_id=user_id, amount=amount, status=PaymentStatus.PROCESSING, external_payment_id=external_id)
        for pk, external_id in ids
    )
    checkout.objects.bulk_create(
        checkout(
            payment_id=pk,
            user_id=user_id,
            amount=amount,
            external_id=external_id,
            provider_status=ProviderStatus.PENDING,
        )
        for pk, external_id in ids
    )
    return [(str(pk), external_id) for pk, external_id in ids]


def _notifications(payments: list[tuple[str, str]]) -> list[bytes]:
    amount = {"value": "4500.00", "currency": "RUB"}
    return [
        open_loop.post(
            PATH,
            json.dumps(
                {
                    "type": "notification",
                    "event": "payment.succeeded",
                    "object": {
                        "id": external_id,
                        "status": "succeeded",
                        "amount": amount,
                        "income_amount": {"value": "4342.50", "currency": "RUB"},
                        "refunded_amount": {"value": "0.00", "currency": "RUB"},
                        "description": f"Заказ № {order_number(payment_id)}",
                        "recipient": {"account_id": "100500", "gateway_id": "100700"},
                        "payment_method": {"type": "bank_card", "saved": False, "title": "Bank card *4444"},
                        "created_at": "2026-11-24T08:00:00.000Z",
                        "captured_at": "2026-11-24T08:01:00.000Z",
                        "metadata": {"payment_id": payment_id},
                        "paid": True,
                        "refundable": True,
                        "test": False,
                    },
                }
            ).encode(),
        )
        for payment_id, external_id in payments
    ]


def _schedule(requests: list[bytes], *, seconds: float) -> tuple[list[bytes], list[float]]:
    times = open_loop.arrivals(RATE, seconds)
    return [random.choice(requests) for _ in times], times

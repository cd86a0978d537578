"""From the arrival of YooKassa's notifications to the end of our answer, by which each is committed with its check."""

import http.client
import json
import random
import uuid
from dataclasses import dataclass, field
from decimal import Decimal

from django.apps import apps

from balansity.processes import WEB, for_python
from payments.queue import QUEUE
from payments.states import PaymentStatus, ProviderStatus
from sandbox.bench import open_loop
from sandbox.bench.payers import CUSTOMERS, SilentServer, payers, waiting_customers
from sandbox.bench.processors import processor_seconds
from sandbox.bench.readers import readers
from sandbox.bench.report import Figure, median, percentile, show
from sandbox.bench.rig import Rig, await_true, execute, install_trigger, rig, value
from sandbox.services.process import free_port
from wording.russian import order_number

RATE = 100.0
SECONDS = 10.0
ROUNDS = 3
PAYMENTS = 500
MOST_MILLISECONDS = 20.0
# Of `/health`; and of itself alone: a process whose threads all wait makes it thousands.
MOST_TIMES = 2.0
PATH = "/api/webhook/yookassa"


@dataclass
class _Load:
    """What came back of one kind of request, a list of milliseconds a round."""

    requests: list[bytes]
    rounds: list[list[float]] = field(default_factory=list)

    def send(self, port: int, *, seconds: float = SECONDS) -> list[float]:
        answered = open_loop.send(port, *_schedule(self.requests, seconds=seconds))
        self.rounds.append(answered)
        return answered

    def percentiles(self, percent: int) -> list[float]:
        return [percentile(one, percent) for one in self.rounds]

    @property
    def count(self) -> int:
        return sum(map(len, self.rounds))


def run() -> bool:
    """Gunicorn as shipped, on a database that syncs its commits; the baseline is the same server without a database.

    Alone, beside customers who start payments at a YooKassa that says nothing, and beside customers who download
    reports from a storage that says nothing.
    """
    with rig("webhook") as built:
        install_trigger(QUEUE)
        bodies, get_health = _notifications(_make_payments()), [open_loop.get("/health")]
        provider, storage = SilentServer(), SilentServer()
        port, web = _start_gunicorn(built, provider, storage)
        neighbours = {"a silent YooKassa": (provider, payers()), "a silent storage": (storage, readers())}
        # The first ones open connections and import code.
        _Load(get_health).send(port, seconds=1)
        warm = _Load(bodies)
        warm.send(port, seconds=1)
        health, ours = _Load(get_health), _Load(bodies)
        beside = {name: (_Load(get_health), _Load(bodies)) for name in neighbours}
        processor = 0.0
        for number in range(1, ROUNDS + 1):
            before = processor_seconds(web)
            health.send(port)
            latest = ours.send(port)
            processor += processor_seconds(web) - before
            print(f"round {number}: {median(latest):.1f} ms, p99 {percentile(latest, 99):.1f} ms", flush=True)
            for name, (server, calls) in neighbours.items():
                with waiting_customers(port, server, calls):
                    for load in beside[name]:
                        load.send(port)
        for server in (provider, storage):
            server.close()
        per_request = processor * 1000 / (ours.count + health.count)
        sent = sum(load.count for load in (warm, ours, *(load for _, load in beside.values())))
        stored = value("SELECT count(*) FROM payments_providernotification WHERE status = 'stored' AND trusted")
        queued = value(f"SELECT count(*) FROM pgmq.q_{QUEUE}")
    if (stored, queued) != (sent, sent):
        raise SystemExit(f"{sent} notifications were answered, {stored} stored and {queued} queued")
    return show(
        "webhook",
        [
            Figure.of("notification, p50", ours.percentiles(50), "ms"),
            Figure.of("notification, p99", ours.percentiles(99), "ms", most=MOST_MILLISECONDS),
            Figure.of("notification, slowest", ours.percentiles(100), "ms"),
            Figure.of("/health, p50", health.percentiles(50), "ms"),
            Figure.of("/health, p99", health.percentiles(99), "ms"),
            Figure.ratio("notification / health, p50", ours.percentiles(50), health.percentiles(50)),
            Figure.ratio("notification / health, p99", ours.percentiles(99), health.percentiles(99), most=MOST_TIMES),
            *(figure for name, loads in beside.items() for figure in _beside(name, *loads, health, ours)),
            Figure("web processes, processor time a request of either kind", per_request, "ms"),
        ],
        notes=[
            f"{RATE:.0f} requests a second at random times, {SECONDS:.0f} s a round, {ROUNDS} rounds in turn;",
            "each over a new connection, from its time to the end of the answer; /health touches no database;",
            f"beside a silent server {CUSTOMERS} customers ask for what it has to tell, and come again when told to;",
            f"{sent:,} notifications were answered with 200, and as many are stored with their check",
        ],
    )


def _beside(name: str, beside_health: _Load, beside_ours: _Load, health: _Load, ours: _Load) -> list[Figure]:
    """A neighbour that waits is to take from nobody: what it is beside it, and by how much that is more than alone."""
    p99, alone = beside_ours.percentiles(99), ours.percentiles(99)
    health_p99, health_alone = beside_health.percentiles(99), health.percentiles(99)
    return [
        Figure.of(f"beside {name}: notification, p99", p99, "ms", most=MOST_MILLISECONDS),
        Figure.ratio(f"beside {name}: notification / health, p99", p99, health_p99, most=MOST_TIMES),
        Figure.ratio(f"beside {name} / alone: notification, p99", p99, alone, most=MOST_TIMES),
        Figure.ratio(f"beside {name} / alone: /health, p99", health_p99, health_alone, most=MOST_TIMES),
    ]


def _start_gunicorn(built: Rig, provider: SilentServer, storage: SilentServer) -> tuple[int, int]:
    port = free_port()
    silent = {
        "YUKASSA_SHOP_ID": "100500",
        "YUKASSA_SECRET_KEY": "test_of-a-silent-shop",
        "YUKASSA_API_URL": f"{provider.address}/v3",
        "SUPABASE_URL": storage.address,
        "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_of-a-silent-storage",
        "REPORTS_STORAGE": "supabase",
    }
    process = built.start(*for_python(WEB), API_PORT=str(port), **silent)
    await_true(lambda: _answers(port), seconds=60)
    return port, process.pid


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

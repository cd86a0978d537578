"""Every list of the admin: its first and last page, each of its orders and filters, and what staff search for."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from sandbox.bench.report import Figure, median
from sandbox.bench.rig import execute
from sandbox.bench.seeding import MAIL_QUEUE, Size, address, customer_id, payment_id

MOST_MS = 300.0
# What is slower than this is told by name, and measured more than once.
TOLD_MS = 150.0
ROUNDS = 3
# A statement that takes longer is given up, and its page counts as having taken so long.
PATIENCE_MS = 5000.0
QUEUE_PAGE = f"bridge/queueoverview/{MAIL_QUEUE}/messages"


@dataclass(frozen=True, slots=True)
class Look:
    """One page that staff open, by what they did."""

    what: str
    address: str


def measure(size: Size) -> tuple[list[Figure], list[str]]:
    """The slowest page of each list, as the server's time from the request to the whole answer."""
    client, figures, notes = staff_client(), [], []
    # A list without a row is the baseline: what the admin itself costs.
    empty = timed(client, Look("", "/admin/auth/group/"), rounds=ROUNDS)
    with _patience():
        for model, looks in _all_looks(client, size):
            took = {look: _took(client, look) for look in looks}
            slowest = max(took, key=lambda look: took[look])
            figures.append(Figure(f"list {model}: slowest ({slowest.what})", took[slowest], "ms", most=MOST_MS))
            figures.append(Figure(f"list {model}: median of {len(took)} looks", median(list(took.values())), "ms"))
            slow = [look for look in looks if took[look] > TOLD_MS]
            notes += [_told(client, look, took[look]) for look in sorted(slow, key=lambda look: -took[look])]
    figures.append(Figure("an empty list", empty, "ms"))
    slowest_of_all = max(figure.value for figure in figures)
    figures.append(Figure("slowest list / an empty list", slowest_of_all / empty, "times"))
    return figures, notes


@contextmanager
def _patience() -> Iterator[None]:
    execute(f"SET statement_timeout TO {PATIENCE_MS:.0f}")
    try:
        yield
    finally:
        execute("RESET statement_timeout")


def staff_client(headers: dict[str, str] | None = None) -> Any:
    """Somebody who may do everything, logged in."""
    # The rig sets Django up, so neither a model nor the client can be imported with this module.
    from django.test import Client  # noqa: PLC0415

    users = apps.get_model("auth", "User").objects
    user = users.filter(username="bench").first() or users.create_superuser("bench", password=None)
    client = Client(headers={"Host": "127.0.0.1", **(headers or {})})
    client.force_login(user)
    return client


def timed(client: Any, look: Look, *, rounds: int) -> float:
    """Milliseconds, the median of a few after the first, which may find nothing in memory."""
    return median([_one(client, look) for _ in range(rounds + 1)][1:])


def _took(client: Any, look: Look) -> float:
    """One look says enough of a page that is fast. What is slow is not waited for many times over."""
    try:
        _one(client, look)
        took = [_one(client, look)]
        if took[0] > TOLD_MS:
            took += [_one(client, look) for _ in range(ROUNDS - 1)]
    except OperationalError:
        return PATIENCE_MS
    return median(took)


def _one(client: Any, look: Look) -> float:
    began = time.perf_counter()
    answer = client.get(look.address)
    milliseconds = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"{look.address} was answered with {answer.status_code}")
    return milliseconds


def _all_looks(client: Any, size: Size) -> Iterator[tuple[str, list[Look]]]:
    """Of each list that the admin has, and of the page of a queue."""
    from django.contrib.admin import site  # noqa: PLC0415 # The rig sets Django up.

    searches = _searches(size)
    for model, shown in site._registry.items():
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        if shown.has_view_permission(_somebody()):
            yield name, list(_looks(client, name, searches.pop(name, ())))
    if searches:
        raise SystemExit(f"there are no such lists: {', '.join(searches)}")
    yield QUEUE_PAGE, list(_looks_at_queue(size))


def _somebody() -> Any:
    from django.test import RequestFactory  # noqa: PLC0415

    request = RequestFactory().get("/")
    request.user = apps.get_model("auth", "User").objects.get(username="bench")
    return request


def _looks_at_queue(size: Size) -> Iterator[Look]:
    """Its tabs, and each of the filters that they have."""
    from bridge.admin.addresses import queue_address  # noqa: PLC0415
    from bridge.admin.failures_tab import FAILURES  # noqa: PLC0415
    from bridge.admin.queue_page import ARCHIVE, TABS  # noqa: PLC0415
    from bridge.rollup.failures import failure_groups  # noqa: PLC0415

    trace_id = hashlib.md5(f"trace {size.archived // 200 * 100}".encode(), usedforsecurity=False).hexdigest()
    group = failure_groups(MAIL_QUEUE)[0]
    month = {"since": "2026-10-01T00:00", "until": "2026-10-31T00:00"}
    asked: list[dict[str, Any]] = [
        *({"tab": tab} for tab in TABS),
        *({"tab": ARCHIVE, "outcome": outcome} for outcome in ("succeeded", "failed", "duplicate")),
        *(
            {"tab": ARCHIVE, "outcome": "failed", "reason": reason}
            for reason in ("refused", "worker_lost", "too_large")
        ),
        *({"tab": tab, **month} for tab in (ARCHIVE, FAILURES)),
        *({"tab": tab, "trace_id": found} for tab in (ARCHIVE, FAILURES) for found in (trace_id, "none")),
        *({"tab": FAILURES, "reason": reason} for reason in ("refused", "retries_exhausted")),
        {"tab": FAILURES, "error_type": group.error_type},
        {"tab": FAILURES, "reason": group.reason, "error_type": group.error_type, "pattern": group.pattern},
        {"tab": FAILURES, "hours": 24},
    ]
    for one in asked:
        yield Look(", ".join(f"{name} {value}" for name, value in one.items()), queue_address(MAIL_QUEUE, **one))


def _looks(client: Any, model: str, searches: tuple[str, ...]) -> Iterator[Look]:
    base = f"/admin/{model}/"
    answer = client.get(base)
    yield Look("first page", base)
    changes = (getattr(answer, "context_data", None) or {}).get("cl")
    if changes is None:
        return
    if changes.page_num != changes.paginator.num_pages:
        yield Look("last page", f"{base}?p={changes.paginator.num_pages}")
    for column in range(1, len(changes.list_display) + 1):
        yield Look(f"order by column {column}", f"{base}?o={column}")
    for spec in changes.filter_specs:
        for choice in spec.choices(changes):
            if "query_string" in choice:
                yield Look(f"filter {spec.title}: {choice['display']}", base + choice["query_string"])
    if changes.date_hierarchy:
        yield Look("a month", f"{base}?{changes.date_hierarchy}__year=2026&{changes.date_hierarchy}__month=10")
    for text in searches:
        yield Look(f"search {text!r}", f"{base}?q={text}")


def _searches(size: Size) -> dict[str, tuple[str, ...]]:
    """What is looked for in each list: what is there once, often, and never, in each way that staff name things."""
    one = size.payments // 2
    clients = (address(17), "client17", "Орлов6", "Ольга", "+79000000017", "nobody@nowhere.example")
    return {
        "notifications/emailmessage": (*clients, str(size.mails // 2), "№ 17", "Отчёт", str(payment_id(one)), "zzz"),
        "payments/payment": (
            *(*clients, str(payment_id(one)), str(payment_id(one))[:8], str(customer_id(17)), "1500", "4444", "zzz"),
        ),
        "payments/providernotification": (str(payment_id(one)), "185.71.76.1", "zzz"),
        "payments/refund": (*clients, str(payment_id(51)), "zzz"),
        "reports/report": ("client17", "zzz"),
    }


def _told(client: Any, look: Look, took: float) -> str:
    """What was slow, and its slowest query."""
    with CaptureQueriesContext(connection) as queries, suppress(OperationalError):
        client.get(look.address)
    slowest = max(queries.captured_queries, key=lambda query: float(query["time"]))
    query = f"slowest query {slowest['time']} s: {slowest['sql'][:600]}"
    return f"{took:.0f} ms, {look.what}: {look.address}; {query}"

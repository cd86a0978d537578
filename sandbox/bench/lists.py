"""Every list of the admin: its first and last page, each of its orders and filters, and what staff search for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sandbox.bench.report import Figure, median
from sandbox.bench.seeding import Size, address, customer_id, payment_id

MOST_MS = 300.0
ROUNDS = 3
# What is slower than this is told by name.
TOLD_MS = 150.0


@dataclass(frozen=True, slots=True)
class Look:
    """One page that staff open, by what they did."""

    what: str
    address: str


def measure(size: Size) -> tuple[list[Figure], list[str]]:
    """The slowest page of each list, as the server's time from the request to the whole answer."""
    client, figures, notes = staff_client(), [], []
    # A list without a row is the baseline: what the admin itself costs.
    empty = timed(client, Look("", "/admin/auth/group/"))
    for model, searches in _searches(size).items():
        took = {look: timed(client, look) for look in _looks(client, model, searches)}
        slowest = max(took, key=lambda look: took[look])
        figures.append(Figure(f"list {model}: slowest ({slowest.what})", took[slowest], "ms", most=MOST_MS))
        figures.append(Figure(f"list {model}: median of {len(took)} looks", median(list(took.values())), "ms"))
        for look, milliseconds in sorted(took.items(), key=lambda item: -item[1]):
            if milliseconds > TOLD_MS:
                query, seconds = _slowest_query(client, look)
                notes.append(f"{milliseconds:.0f} ms, {look.what}: {look.address}; slowest query {seconds} s: {query}")
    figures.append(Figure("an empty list", empty, "ms"))
    slowest_of_all = max(figure.value for figure in figures)
    figures.append(Figure("slowest list / an empty list", slowest_of_all / empty, "times"))
    return figures, notes


def staff_client(headers: dict[str, str] | None = None) -> Any:
    """Somebody who may do everything, logged in."""
    # The rig sets Django up, so neither a model nor the client can be imported with this module.
    from django.test import Client  # noqa: PLC0415

    users = apps.get_model("auth", "User").objects
    user = users.filter(username="bench").first() or users.create_superuser("bench", password=None)
    client = Client(headers={"Host": "127.0.0.1", **(headers or {})})
    client.force_login(user)
    return client


def timed(client: Any, look: Look, *, rounds: int = ROUNDS) -> float:
    """Milliseconds, the median of a few after the first, which may find nothing in memory."""
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = client.get(look.address)
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{look.address} was answered with {answer.status_code}")
    return median(took[1:])


def _looks(client: Any, model: str, searches: tuple[str, ...]) -> Iterator[Look]:
    base = f"/admin/{model}/"
    answer = client.get(base)
    yield Look("first page", base)
    changes = answer.context_data.get("cl")
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
        "bridge/queueoverview": (),
        "bridge/queueoverview/email_queue/failed": (),
    }


def _slowest_query(client: Any, look: Look) -> tuple[str, str]:
    with CaptureQueriesContext(connection) as queries:
        client.get(look.address)
    slowest = max(queries.captured_queries, key=lambda query: float(query["time"]))
    return slowest["sql"][:600], slowest["time"]

"""Reads the books past our code: Postgres by plain SQL, the mail server's files, YooKassa's API, the storage."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import psycopg2

from sandbox.chaos.books import (
    Books,
    Delivery,
    Done,
    HeldPayment,
    HeldRefund,
    LoggedMail,
    Message,
    Payment,
    Refund,
    Report,
    Try,
)
from sandbox.mailbox import MailStore

_DONE = re.compile(r"\b(\w+_queue) (\d+): done at attempt (\d+)\b")
# How YooKassa knows a refund of ours: `payments.refunds.request`.
_DESCRIPTION = "Возврат "

_MESSAGES = """
SELECT msg_id, sum(queued)::int, sum(archived)::int, (array_agg(message ORDER BY archived))[1],
       (array_agg(history ORDER BY archived DESC))[1]
FROM (
    SELECT msg_id, 1 AS queued, 0 AS archived, message,
           coalesce(headers -> 'bridge', message -> '_bridge', '{{}}') AS history FROM pgmq.q_{queue}
    UNION ALL
    SELECT msg_id, 0, 1, message, coalesce(headers -> 'bridge', message -> '_bridge', '{{}}') FROM pgmq.a_{queue}
) AS rows GROUP BY msg_id ORDER BY msg_id
"""
_MAIL_LOG = """
SELECT msg_id, status, attempts, reason, message_id FROM balansity.notifications_emailmessage
WHERE queue = 'email_queue' AND msg_id IS NOT NULL
"""
_PAYMENTS = """
SELECT p.id::text, p.amount, coalesce(p.status, ''), c.provider_status, coalesce(c.external_id, ''), c.refunded_amount,
       (SELECT count(*) FROM balansity.payments_fulfilment AS f WHERE f.payment_id = p.id),
       (SELECT count(*) FROM balansity.payments_paymentevent AS e WHERE e.payment_id = p.id AND e.kind = 'fulfilled'),
       (SELECT count(*) FROM public.package_purchases AS b WHERE b.payment_id = p.id),
       (SELECT count(*) FROM public.appointments AS a WHERE a.payment_id = p.id),
       ARRAY(SELECT reason FROM balansity.payments_paymentattention AS m
             WHERE m.payment_id = p.id AND m.settled_at IS NULL ORDER BY reason)
FROM balansity.payments_checkout AS c JOIN public.payments AS p ON p.id = c.payment_id
"""
_REFUNDS = "SELECT id::text, payment_id::text, amount, status, coalesce(external_id, '') FROM balansity.payments_refund"
_REPORTS = """
SELECT id::text, status, storage_key, sha256, concat_ws(' ', assessment_id, user_id, kind) FROM balansity.reports_report
"""
# The keys of a message that asks for one, in the same order.
_REPORT_KEYS = ("assessment_id", "user_id", "report_type")


_READ = (
    *("messages", "deliveries", "mail_log", "done", "payments", "refunds", "held_payments", "held_refunds"),
    *("reports", "objects"),
)


class Provider(Protocol):
    """YooKassa's books, as its API shows them."""

    def list_of(self, what: str) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything is written down. `storage` is the bucket's folder, `logs` the files that workers write."""

    database: str
    mail: Path
    provider: Provider | None = None
    storage: Path | None = None
    logs: tuple[Path, ...] = ()


def read_books(sources: Sources, *, limits: Mapping[str, int], leases: Mapping[str, float] | None = None) -> Books:
    """Everything that is written down; `limits` and `leases` are those of `Books`."""
    with closing(psycopg2.connect(sources.database, connect_timeout=10)) as connection, connection.cursor() as cursor:

        def rows(query: str) -> list[tuple[Any, ...]]:
            cursor.execute(query)
            return cursor.fetchall()

        ledgers = [(queue, rows(_MESSAGES.format(queue=queue))) for queue in limits]
        return Books(
            messages=tuple(_message(queue, *row) for queue, found in ledgers for row in found),
            deliveries=tuple(_deliveries(sources.mail)),
            mail_log=tuple(LoggedMail(*row) for row in rows(_MAIL_LOG)),
            done=tuple(line for log in sources.logs for line in _done(log)),
            payments=tuple(_payment(*row) for row in rows(_PAYMENTS)),
            refunds=tuple(Refund(*row) for row in rows(_REFUNDS)),
            held_payments=tuple(_held_payments(sources.provider)),
            held_refunds=tuple(_held_refunds(sources.provider)),
            reports=tuple(Report(*row) for row in rows(_REPORTS)),
            objects=_objects(sources.storage),
            leftovers=frozenset(key for (key,) in rows("SELECT key FROM balansity.reports_leftover")),
            limits=dict(limits),
            leases=dict(leases or {}),
            unsettled=rows(
                "SELECT count(*) FROM balansity.payments_providernotification WHERE status IN ('stored', 'failed')"
            )[0][0],
            kept=rows("SELECT count(*) FROM balansity.bridge_keptoutcome")[0][0],
        )


def _message(queue: str, msg_id: int, queued: int, archived: int, body: Any, history: Mapping[str, Any]) -> Message:
    said = body if isinstance(body, dict) else {}
    variables = said.get("variables")
    about = variables.get("payment_id") if isinstance(variables, dict) else None
    return Message(
        queue=queue,
        msg_id=msg_id,
        queued=queued,
        archived=archived,
        outcome=str(history.get("outcome") or ""),
        reason=str(history.get("reason") or ""),
        attempts=int(history.get("attempts") or 0),
        tries=tuple(_try(raw) for raw in history.get("tries") or []),
        recipient=str(said.get("to") or ""),
        template=str(said.get("template") or ""),
        about=str(about or ""),
        report=" ".join(str(said[key]) for key in _REPORT_KEYS) if said.keys() >= {*_REPORT_KEYS} else "",
    )


def _try(raw: Mapping[str, Any]) -> Try:
    # The process is named as `ps` does on its host: `host:number`.
    pid = str(raw.get("worker") or "").rpartition(":")[2]
    return Try(
        number=int(raw.get("number") or 0),
        started_at=datetime.fromisoformat(raw["started_at"]),
        pid=int(pid) if pid.isdigit() else 0,
        is_lost=raw.get("lost") is True,
        error=str((raw.get("error") or {}).get("type", "")),
    )


def _deliveries(folder: Path) -> Iterator[Delivery]:
    store = MailStore(folder)
    for file in store.files():
        mail = store.find(file)
        if mail is not None:
            yield Delivery(mail.recipient, mail.message_id, mail.received_at)


def _done(log: Path) -> Iterator[Done]:
    if log.exists():
        for found in _DONE.finditer(log.read_text(encoding="utf-8", errors="replace")):
            yield Done(found[1], int(found[2]), int(found[3]))


def _payment(*row: Any) -> Payment:
    payment_id, *columns, marks = row
    return replace(Payment(payment_id, *columns), marks=tuple(marks))


def _held_payments(provider: Provider | None) -> Iterator[HeldPayment]:
    for one in provider.list_of("payments") if provider else ():
        yield HeldPayment(
            id=one["id"],
            payment_id=one.get("metadata", {}).get("payment_id", ""),
            amount=Decimal(one["amount"]["value"]),
            status=one["status"],
            refunded=Decimal(one.get("refunded_amount", {}).get("value", "0")),
        )


def _held_refunds(provider: Provider | None) -> Iterator[HeldRefund]:
    for one in provider.list_of("refunds") if provider else ():
        ours = one.get("description", "").removeprefix(_DESCRIPTION)
        yield HeldRefund(one["id"], one["payment_id"], Decimal(one["amount"]["value"]), one["status"], ours)


def _objects(folder: Path | None) -> dict[str, str]:
    if folder is None or not folder.exists():
        return {}
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".about")]
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def size_of(books: Books) -> dict[str, int]:
    """How much was read, so that an empty book is seen as one."""
    return {name: len(getattr(books, name)) for name in _READ}

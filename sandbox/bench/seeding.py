"""Years of a busy service, made by Postgres itself in a minute or two: messages, mails, customers, payments.

Numbered throughout, so that any row can be named without a look: customer 17 has the address `client17@mail.example`,
the id of payment 17 is `payment_id(17)`, mail 17 was asked for by message 17.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.bench.rig import execute

MAIL_QUEUE, PAYMENT_QUEUE = "email_queue", "payment_processing_queue"
# One of so many messages and mails failed, and one of so many failed ones was refused by our rules.
FAILED_OF, REFUSED_OF = 100, 20
# Mails of the newest so many days have their text.
DAYS = 90


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. The defaults are what the targets are about."""

    archived: int = 1_000_000
    mails: int = 1_000_000
    payments: int = 200_000
    customers: int = 50_000

    def scaled(self, scale: float) -> "Size":
        return Size(*(max(1000, int(count * scale)) for count in (1_000_000, 1_000_000, 200_000, 50_000)))


def seed(size: Size) -> None:
    """Fill an empty sandbox. Statistics and visibility are brought up to date, as autovacuum does in time."""
    steps: dict[str, Callable[[], None]] = {
        f"{size.customers:,} customers": lambda: make_customers(size.customers),
        f"{size.archived:,} archived messages": lambda: archive_messages(MAIL_QUEUE, size.archived),
        f"{size.archived // 10:,} more of another queue": lambda: archive_messages(
            PAYMENT_QUEUE, size.archived // 10, failing=False
        ),
        f"{size.mails:,} mails": lambda: make_mails(size.mails, size.customers),
        f"{size.payments:,} payments": lambda: make_payments(size.payments, size.customers),
        "vacuum and statistics": lambda: execute("VACUUM (ANALYZE)"),
    }
    for title, step in steps.items():
        with _timed(title):
            step()


def payment_id(number: int) -> uuid.UUID:
    return uuid.UUID(hashlib.md5(f"payment {number}".encode(), usedforsecurity=False).hexdigest())


def customer_id(number: int) -> uuid.UUID:
    return uuid.UUID(hashlib.md5(f"customer {number}".encode(), usedforsecurity=False).hexdigest())


def address(number: int) -> str:
    return f"client{number}@mail.example"


@contextmanager
def _timed(title: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"seeded: {title} in {time.monotonic() - began:.0f} s", flush=True)


# When the n-th of `count` was: spread evenly over the days, the last one a moment ago.
_WHEN = f"now() - interval '1 second' - (%(count)s - n) * interval '{DAYS} days' / %(count)s"


def make_customers(count: int) -> None:
    """Each with a name, a telephone number and a few payments to come."""
    values = {"count": count}
    execute(
        """INSERT INTO auth.users (id, email)
           SELECT md5('customer ' || n)::uuid, 'client' || n || '@mail.example'
           FROM generate_series(1, %(count)s) AS n""",
        values,
    )
    execute(
        """UPDATE public.users SET phone = '+79' || lpad(substr(email, 7, length(email) - 19), 9, '0')""",
    )
    execute(
        """INSERT INTO public.profiles (user_id, type, first_name, last_name)
           SELECT md5('customer ' || n)::uuid, 'parent',
                  (ARRAY['Анна', 'Мария', 'Игорь', 'Артём', 'Ольга', 'Пётр', 'Елена', 'Дмитрий'])[1 + n %% 8],
                  (ARRAY['Ким', 'Петрова', 'Сидоров', 'Орлов', 'Лебедева', 'Козлов', 'Новикова'])[1 + n %% 7] || n
           FROM generate_series(1, %(count)s) AS n""",
        values,
    )


def archive_messages(queue: str, count: int, *, failing: bool = True, first: int = 1, last: int | None = None) -> None:
    """Messages 1 to `count` with their history, as the bridge writes it; every hundredth failed for good.

    With `first` and `last` it is that part of them.
    """
    execute(
        f"""
        INSERT INTO pgmq.a_{queue} (msg_id, read_ct, enqueued_at, archived_at, vt, message, headers)
        SELECT n, 1, sent, sent + make_interval(secs => waited + ran), sent,
               jsonb_build_object('to', 'client' || n %% 50000 || '@mail.example', 'template', 'report_ready'),
               jsonb_build_object('bridge', jsonb_strip_nulls(jsonb_build_object(
                   'attempts', CASE WHEN outcome = 'failed' THEN 1 + n %% 6 ELSE 1 END,
                   'trace_id', md5('trace ' || n),
                   'first_attempt_at', sent + make_interval(secs => waited),
                   'last_attempt_at', sent + make_interval(secs => waited),
                   'finished_at', sent + make_interval(secs => waited + ran),
                   'outcome', outcome,
                   'reason', CASE WHEN outcome <> 'failed' THEN NULL
                                  WHEN n / {FAILED_OF} %% {REFUSED_OF} = 0 THEN 'refused'
                                  ELSE (ARRAY['retries_exhausted', 'permanent_error', 'worker_lost'])[kind] END,
                   'last_error', CASE WHEN outcome = 'failed' THEN jsonb_build_object(
                       'type', (ARRAY['SMTPServerDisconnected', 'SMTPRecipientsRefused', 'TimeoutError'])[kind],
                       'message', (ARRAY[
                           'connection to 10.0.' || n %% 200 || '.7:587 was closed after ' || n %% 60 || ' s',
                           '550 5.1.1 <client' || n || '@mail.example>: user unknown',
                           'no answer within 30 s from «mx' || n %% 9 || '.example»',
                           'message ' || md5('id ' || n) || ' was refused'])[1 + n / 11 %% 4]) END)))
        FROM (SELECT n, {_WHEN} AS sent, (n %% 97) / 20.0 AS waited, 0.05 + (n %% 31) / 40.0 AS ran,
                     1 + n / 7 %% 3 AS kind,
                     CASE WHEN n %% {FAILED_OF} = 0 AND %(failing)s THEN 'failed'
                          WHEN n %% 211 = 0 THEN 'duplicate' ELSE 'succeeded' END AS outcome
              FROM generate_series(%(first)s, %(last)s) AS n) AS messages
        """,
        {"count": count, "failing": failing, "first": first, "last": last or count},
    )
    execute(f"SELECT setval(pg_get_serial_sequence('pgmq.q_{queue}', 'msg_id'), %s)", [count])


def make_mails(count: int, customers: int) -> None:
    """Mails 1 to `count` to the customers in turn; every hundredth failed."""
    execute(
        f"""
        INSERT INTO notifications_emailmessage
            (queue, msg_id, enqueued_at, trace_id, recipient, mailbox, about, subject, template, html_body, text_body,
             status, attempts, reason, error, error_type, provider, provider_message_id, message_id, dedupe_key,
             created_at, updated_at, sent_at)
        SELECT '{MAIL_QUEUE}', n, sent, md5('trace ' || n), 'client' || who || '@mail.example',
               'client' || who || '@mail.example', md5('payment ' || n %% 200000)::uuid::text,
               (ARRAY['Заказ № ', 'Отчёт готов, № ', 'Напоминание о консультации № '])[1 + n %% 3] || n,
               (ARRAY['payment_confirmation', 'report_ready', 'appointment_reminder_24h'])[1 + n %% 3],
               CASE WHEN recent THEN repeat('<p>Здравствуйте!</p>', 40) ELSE '' END,
               CASE WHEN recent THEN repeat('Здравствуйте! ', 40) ELSE '' END,
               status, 1,
               CASE WHEN status <> 'failed' THEN '' WHEN n / {FAILED_OF} %% {REFUSED_OF} = 0 THEN 'refused'
                    ELSE 'permanent_error' END,
               CASE WHEN status = 'sent' THEN '' ELSE '550 5.1.1 user unknown' END,
               CASE WHEN status = 'failed' THEN 'SMTPRecipientsRefused' ELSE '' END,
               'smtp', '', '<' || md5('mail ' || n) || '@mail.example>', md5('same ' || n), sent, sent,
               CASE WHEN status = 'sent' THEN sent + interval '2 seconds' END
        FROM (SELECT n, {_WHEN} AS sent, 1 + n %% %(customers)s AS who, n > %(count)s * 0.95 AS recent,
                     CASE WHEN n %% {FAILED_OF} = 0 THEN 'failed' WHEN n %% 211 = 0 THEN 'duplicate'
                          ELSE 'sent' END AS status
              FROM generate_series(1, %(count)s) AS n) AS mails
        """,
        {"count": count, "customers": customers},
    )


def make_payments(count: int, customers: int) -> None:
    """Payments 1 to `count` of the customers in turn: four of five paid, some refunded, some stuck, some marked."""
    values = {"count": count, "customers": customers}
    execute(
        """INSERT INTO public.appointment_types (id, name, duration_minutes, price)
           SELECT md5('type ' || n)::uuid, 'Консультация ' || n, 50, 4500 FROM generate_series(1, 5) AS n""",
    )
    # What each row of each table is made from.
    execute(
        f"""
        CREATE TEMPORARY TABLE seeded AS
        SELECT n, md5('payment ' || n)::uuid AS id, md5('customer ' || 1 + n %% %(customers)s)::uuid AS user_id,
               {_WHEN} AS started, 1500 + n %% 40 * 100 AS amount, md5('provider ' || n) AS external_id,
               CASE WHEN n %% 5 > 0 THEN CASE WHEN n %% 50 = 1 THEN 'refunded' ELSE 'completed' END
                    WHEN n %% 25 = 0 THEN 'cancelled' WHEN n > %(count)s - 200 THEN 'processing'
                    ELSE 'failed' END AS status
        FROM generate_series(1, %(count)s) AS n
        """,
        values,
    )
    for statement in _PAYMENT_ROWS:
        execute(statement)
    execute("DROP TABLE seeded")


_PAYMENT_ROWS = (
    """INSERT INTO public.payments
           (id, user_id, amount, currency, status, payment_method, external_payment_id, metadata, created_at,
            updated_at)
       SELECT id, user_id, amount, 'RUB', status, 'bank_card', external_id,
              jsonb_build_object('type', CASE WHEN n % 4 = 0 THEN 'package' ELSE 'appointment' END), started, started
       FROM seeded""",
    """INSERT INTO payments_checkout
           (payment_id, user_id, amount, currency, kind, appointment_type_id, package_id, external_id,
            confirmation_token, provider_status, test, method_type, method_title, cancellation_party,
            cancellation_reason, receipt_registration, refunded_amount, provider_created_at, captured_at, checked_at,
            checks, attention, attention_note, attention_since, created_at, updated_at, request_body)
       SELECT id, user_id, amount, 'RUB', CASE WHEN n % 4 = 0 THEN 'package' ELSE 'appointment' END,
              CASE WHEN n % 4 > 0 THEN md5('type ' || 1 + n % 5)::uuid END,
              CASE WHEN n % 4 = 0 THEN md5('package ' || 1 + n % 5)::uuid END, external_id, '',
              CASE status WHEN 'completed' THEN 'succeeded' WHEN 'refunded' THEN 'succeeded' WHEN 'processing' THEN
                   'pending' WHEN 'cancelled' THEN 'rejected' ELSE 'canceled' END,
              n % 100 = 7, 'bank_card', 'Bank card *' || lpad((n % 10000)::text, 4, '0'),
              CASE WHEN status = 'failed' THEN 'payment_network' ELSE '' END,
              CASE WHEN status = 'failed' THEN 'insufficient_funds' ELSE '' END, '',
              CASE WHEN status = 'refunded' THEN amount ELSE 0 END, started,
              CASE WHEN status IN ('completed', 'refunded') THEN started + interval '1 minute' END,
              started + interval '2 minutes', 2, '', '', NULL, started, started,
              jsonb_build_object('amount', jsonb_build_object('value', amount || '.00', 'currency', 'RUB'),
                                 'receipt', jsonb_build_object('customer', jsonb_build_object(
                                     'email', 'client' || 1 + n % 50000 || '@mail.example')))
       FROM seeded""",
    """INSERT INTO payments_fulfilment (payment_id, kind, how, appointment_id, purchase_id, created_at)
       SELECT id, CASE WHEN n % 4 = 0 THEN 'package' ELSE 'appointment' END, 'made',
              CASE WHEN n % 4 > 0 THEN md5('appointment ' || n)::uuid END,
              CASE WHEN n % 4 = 0 THEN md5('purchase ' || n)::uuid END, started
       FROM seeded WHERE status = 'completed'""",
    """INSERT INTO payments_refund
           (id, payment_id, external_id, amount, currency, status, reason, request_body, cancellation_party,
            cancellation_reason, error, created_at, updated_at, finished_at)
       SELECT md5('refund ' || n)::uuid, id, md5('provider refund ' || n), amount, 'RUB', 'succeeded', 'Передумал',
              '{}', '', '', '', started + interval '1 day', started + interval '1 day', started + interval '1 day'
       FROM seeded WHERE status = 'refunded'""",
    """INSERT INTO payments_paymentevent (payment_id, kind, door, data, trace_id, created_at)
       SELECT id, kind, 'webhook', '{}', md5('trace ' || n), started
       FROM seeded, unnest(ARRAY['created', 'checked', 'fulfilled']) AS kind""",
    """INSERT INTO payments_providernotification
           (received_at, address, trusted, event, object_id, payment_id, body, status, error, processed_at, trace_id)
       SELECT started + interval '1 minute', '185.71.76.1', true, 'payment.succeeded', external_id, id, '{}',
              CASE WHEN n % 500 = 0 THEN 'failed' ELSE 'processed' END, '',
              started + interval '1 minute' + make_interval(secs => 0.3 + n % 50 / 30.0), md5('trace ' || n)
       FROM seeded""",
    """INSERT INTO payments_paymentattention (payment_id, reason, note, since, settled_at)
       SELECT id, (ARRAY['mismatch', 'slot_taken', 'refund_failed', 'not_fulfilled'])[1 + n / 7 % 4], '', started,
              CASE WHEN n % 2000 > 0 THEN started + interval '1 hour' END
       FROM seeded WHERE n % 100 = 0""",
)

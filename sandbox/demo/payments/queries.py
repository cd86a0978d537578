"""What the demo asks the database about its payments."""

from typing import Any

from django.db import connection

from sandbox.demo.payments.customers import CUSTOMERS

CUSTOMER_IDS = [customer.id for customer in CUSTOMERS]

PAYMENTS = """
SELECT p.user_id::text AS user_id, p.id::text AS id, p.amount, p.status, coalesce(c.provider_status, '') AS provider,
    coalesce(c.attention, '') AS attention, coalesce(c.refunded_amount, 0) AS refunded,
    coalesce(f.kind, '') AS kind, coalesce(f.how, '') AS how,
    (SELECT count(*) FROM payments_refund AS r WHERE r.payment_id = p.id AND r.status = 'succeeded') AS refunds,
    (SELECT count(*) FROM payments_paymentevent AS e WHERE e.payment_id = p.id AND e.kind = 'fulfilled') AS gifts,
    (SELECT count(*) FROM payments_paymentevent AS e
     WHERE e.payment_id = p.id AND e.kind = 'status_corrected') AS corrections
FROM public.payments AS p
LEFT JOIN payments_checkout AS c ON c.payment_id = p.id
LEFT JOIN payments_fulfilment AS f ON f.payment_id = p.id
WHERE p.user_id = ANY(%(customers)s::uuid[])
"""
THINGS = """
SELECT user_id::text, payment_id IS NOT NULL FROM public.appointments WHERE user_id = ANY(%(customers)s::uuid[])
UNION ALL
SELECT user_id::text, payment_id IS NOT NULL FROM public.package_purchases WHERE user_id = ANY(%(customers)s::uuid[])
"""
# What came into our tables since the start and belongs to nobody of the demo.
STRANGERS = """
SELECT 'the payment ' || payment_id FROM payments_checkout
WHERE created_at >= %(since)s AND user_id <> ALL(%(customers)s::uuid[])
UNION ALL
SELECT 'the fulfilment of the payment ' || payment_id FROM payments_fulfilment
WHERE created_at >= %(since)s AND payment_id <> ALL(%(payments)s::uuid[])
UNION ALL
SELECT 'the refund ' || id FROM payments_refund
WHERE created_at >= %(since)s AND payment_id <> ALL(%(payments)s::uuid[])
"""
NOTIFICATIONS = "SELECT status, count(*) FROM payments_providernotification WHERE received_at >= %(since)s GROUP BY 1"


def read(query: str, **values: Any) -> list[dict[str, Any]]:
    """The rows of one of these queries, by column."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

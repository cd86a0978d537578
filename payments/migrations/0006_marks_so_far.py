"""The marks that stood in the checkouts become rows, and so does what staff have settled.

A mark that a full refund has settled is not carried over: nobody would ever look at that payment again. Payments whose
receipt was not registered are checked once more, which marks them.
"""

from typing import ClassVar

from django.db import migrations

FORWARD = """
WITH over AS (
    UPDATE payments_checkout SET attention = '', attention_note = '', attention_since = NULL
    FROM (SELECT payment_id AS id, attention AS reason FROM payments_checkout) AS before
    WHERE before.id = payment_id AND refunded_amount >= amount
      AND attention IN ('refund_failed', 'slot_taken', 'slot_passed', 'not_fulfilled')
    RETURNING payment_id, before.reason
)
INSERT INTO payments_paymentevent (payment_id, kind, door, data, trace_id, created_at)
SELECT payment_id, 'attention_cleared', 'reconciliation', jsonb_build_object('reason', reason), '', now() FROM over;

INSERT INTO payments_paymentattention (payment_id, reason, note, since)
SELECT payment_id, attention, attention_note, attention_since FROM payments_checkout WHERE attention <> '';

INSERT INTO payments_paymentattention (payment_id, reason, note, since, settled_at, settled_by_id)
SELECT cleared.payment_id, cleared.data ->> 'reason', coalesce(marked.note, ''),
       coalesce(marked.created_at, cleared.created_at), cleared.created_at, cleared.actor_id
FROM payments_paymentevent AS cleared
LEFT JOIN LATERAL (
    SELECT data ->> 'note' AS note, created_at FROM payments_paymentevent AS event
    WHERE event.payment_id = cleared.payment_id AND event.kind = 'attention'
      AND event.data ->> 'reason' = cleared.data ->> 'reason' AND event.created_at <= cleared.created_at
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS marked ON true
WHERE cleared.kind = 'attention_cleared' AND cleared.actor_id IS NOT NULL AND cleared.data ->> 'reason' IS NOT NULL;

-- A check marks receipts that were not registered, and learns of those of refunds.
UPDATE payments_checkout SET next_check_at = now()
WHERE provider_status = 'succeeded' AND next_check_at IS NULL AND (
    receipt_registration = 'canceled'
    OR receipt_registration <> '' AND payment_id IN (SELECT payment_id FROM payments_refund WHERE status = 'succeeded')
);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0005_attention_rows")]

    # Backwards the checkouts keep the gravest mark, as they do anyway.
    operations: ClassVar = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]

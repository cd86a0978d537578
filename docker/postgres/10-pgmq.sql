-- What the optional `postgres` service starts with: pgmq and the queues. In production Supabase owns both.
CREATE EXTENSION pgmq;
SELECT pgmq.create('email_queue');
SELECT pgmq.create('report_generation_queue');
SELECT pgmq.create('payment_processing_queue');
SELECT pgmq.create('analytics_queue');

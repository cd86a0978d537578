"""Carries messages from pgmq queues through Celery and back. Knows nothing of mail, payments or reports."""

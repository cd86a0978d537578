"""The reports act: what becomes of the report messages that finished check-ups send."""

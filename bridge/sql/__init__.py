"""The statements about queues: written in `queries.sql`, made for one queue, run whatever becomes of its tables."""

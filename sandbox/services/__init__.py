"""Postgres with pgmq, the broker, the mail server and the stand-ins: started, watched and stopped as processes."""

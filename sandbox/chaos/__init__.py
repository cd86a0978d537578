"""Chaos with the books open: load, seeded faults, healing, and then a check of what everybody wrote down.

`./dev chaos` starts what production starts, lets clients send mails, pay, ask for refunds and reports, and breaks one
part after the other by a schedule that a seed decides. Then all is made well, the queues run empty, and a checker
compares what clients know for certain with Postgres, the archives, the mail server's own store, YooKassa's own books
and the storage. The checker is checked: `doubles.py` takes one protection away at a time, and each must turn it red.
"""

"""`./dev demo`: real messages, payments and reports, real processes, every way to end, and a verdict on all of them."""

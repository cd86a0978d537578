"""`./dev demo`: real messages, real processes, every outcome that a message can have, and a verdict on all of them."""

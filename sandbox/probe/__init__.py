"""A queue whose messages say what their handler shall do: for benchmarks, and for tests that kill and delay."""

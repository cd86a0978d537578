"""`./dev mutate`: breaks one guard at a time, in memory, and tells which of them no test misses."""

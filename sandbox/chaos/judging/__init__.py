"""The checker: compares what clients know with the books. Pure: no database, no clock, no process."""

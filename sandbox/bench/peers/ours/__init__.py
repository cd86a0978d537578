"""Our own side of the comparison: a queue whose handler does the work that all of them do."""

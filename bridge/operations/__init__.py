"""Every act of an operator, for whichever face offers it: compare-and-set, with a row that says who did it and why."""

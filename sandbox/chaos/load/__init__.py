"""The clients: each goes on through every fault, tries again as it is told to, and notes what was confirmed to it."""

"""Which processes of ours live: how each says so, who writes it down, and who is told when one is missing."""

"""What runs in a worker: one delivery claimed, run and ended, alone or in a bundle."""

"""How queues did and what failed in them, without counting archives: a roll-up, and the rest since its watermark."""

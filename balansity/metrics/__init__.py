"""`/metrics`: one collector, which reads everything when a monitor asks."""

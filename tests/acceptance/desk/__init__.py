"""Staff at a real browser."""

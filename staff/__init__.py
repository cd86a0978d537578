"""What pages for staff share: looking without changing, the guard, how things look. Knows no queue and no table."""

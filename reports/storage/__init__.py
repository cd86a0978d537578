"""Where reports lie, and how those who may have them get them."""

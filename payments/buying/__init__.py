"""Starting a payment, and telling its payer how it stands."""

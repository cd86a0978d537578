"""Money: what a customer asked for, what YooKassa says about it, and what the payer got."""

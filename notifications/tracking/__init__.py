"""What became of a mail after the provider took it: its word for it, proven, understood and written down."""

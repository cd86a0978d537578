"""What an expected trouble is called, where it comes from and what mends it: all who speak of it ask here."""

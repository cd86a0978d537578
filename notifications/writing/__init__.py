"""What a mail says: which there are, what each needs, and how its text is made from untrusted values."""

"""How a mail leaves, and what the answer of a mail server or a provider means."""

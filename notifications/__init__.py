"""Mail: what a message of `email_queue` becomes, how it is sent, and what staff see of it."""

"""The door of the admin: how often it may be tried, who tried it, and when it closes behind somebody by itself."""

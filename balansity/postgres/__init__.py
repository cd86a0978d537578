"""Django's Postgres backend, which proves of each connection what the rest of the code stands on."""

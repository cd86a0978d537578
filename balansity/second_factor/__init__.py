"""The second factor of staff: codes of an authenticator app, recovery codes, and the pages that set up and ask."""

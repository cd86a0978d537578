"""The service in surroundings like production's: row security on, a role with the documented rights, the front end."""

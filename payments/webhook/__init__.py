"""YooKassa's push: one notification from the door to its entry in the journal. Nothing else bears the word."""

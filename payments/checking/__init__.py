"""The one room: whatever says that a payment may have changed ends here, and only the word of YooKassa counts."""

"""The payments act: scenes of customers, a bank and strangers in front of the real API, and how each must end."""

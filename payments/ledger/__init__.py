"""The payment in hand: its rows locked in one order, its timeline, its marks for staff."""

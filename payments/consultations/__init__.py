"""The bookings of paid consultations: whose row it is, whether there is a place, when two rows are one booking."""

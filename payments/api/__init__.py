"""Payments over HTTP: what the front end and staff may ask for, and what each error is to them."""

"""YooKassa's API behind one door: the only importer of the official SDK. Knows neither Django nor our tables.

Import from the modules: `client` makes the calls, `objects` is what they return, `errors` is what they raise.
"""

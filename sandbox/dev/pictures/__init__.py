"""`./dev pictures`: the pictures of `docs/images`, taken of the real pages with made-up families at a fixed moment.

Each PNG carries the fingerprint of what it shows (`fingerprint`), so that a test knows a stale one without a browser.
"""

"""A small front end on `/demo/`, to buy something from the payments and see what comes of it. For the sandbox alone.

It behaves as the real one does, and knows no more than that: the parts of Supabase that the real one talks to (signing
in, reading the catalogue, inserting its own payment) are played by `views`; the rest are calls of our API.
"""

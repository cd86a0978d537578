"""Measures what is promised, each time against a baseline of the same run: `./dev bench [name]`."""

"""Other ways to get work from Postgres or Redis to a worker, beside ours in one run: `./dev bench peers`."""

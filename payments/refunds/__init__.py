"""Money back: asked for here, sent to YooKassa by a worker, written into the books by what YooKassa says."""

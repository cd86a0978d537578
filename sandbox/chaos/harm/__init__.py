"""How each fault is done and undone. Each act is a context: what is broken within it is whole again when it ends."""

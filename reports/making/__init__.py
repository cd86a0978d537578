"""The life of a report: asked for, made, announced, forgotten. Only this room opens transactions; no HTTP, no PDF."""

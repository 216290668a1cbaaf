"""What a run remembers and tells: the store first, then pytest and our hooks."""

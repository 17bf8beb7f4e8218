"""Search: texts become vectors or terms, and these become runs on disk."""

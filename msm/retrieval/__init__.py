"""Texts to vectors, vectors to runs, runs on disk."""

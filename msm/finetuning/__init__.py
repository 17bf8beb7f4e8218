"""Bi-encoder fine-tuning on question and passage pairs."""

"""Sentence encoders: loading, packed attention, pooling and saving."""

"""The masked sentence model and its controls."""

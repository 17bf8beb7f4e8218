"""A small invented world and the languages that tell it."""

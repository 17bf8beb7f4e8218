"""Constructed languages: a small invented world, and languages whose documents tell it."""

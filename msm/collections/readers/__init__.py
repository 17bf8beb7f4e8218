"""Readers of the files of collections, one for each format."""

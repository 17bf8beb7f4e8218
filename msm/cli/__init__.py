"""The command line: one file a verb; each parses its arguments and calls the library."""

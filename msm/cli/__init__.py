"""The command line, one file for each verb, which parses its arguments and calls the library."""

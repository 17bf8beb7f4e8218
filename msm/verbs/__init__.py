"""The commands as functions of Python, which combine the other parts of the package."""

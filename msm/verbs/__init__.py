"""The commands as functions of Python, which bring the rooms below together."""

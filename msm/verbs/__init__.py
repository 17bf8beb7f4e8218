"""What each verb of the command line does, as a function of Python: it brings the rooms below together."""

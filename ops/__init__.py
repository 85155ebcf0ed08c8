"""The operator's tools: the `flask ...` commands, by subject, and the start of the program."""

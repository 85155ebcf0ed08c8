"""What an operator does: the `flask ...` commands, by subject, and the start of the program."""

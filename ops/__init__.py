"""The `flask ...` commands and what they need."""

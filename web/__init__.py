"""The HTTP kit. It knows people who log in, and no other noun of the platform."""

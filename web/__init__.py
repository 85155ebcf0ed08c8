"""How HTTP is done here, once. It knows people who log in, and no other noun of the platform."""

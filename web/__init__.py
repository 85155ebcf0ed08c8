"""How HTTP is done here, once: who asks, what they send, how pages, errors and logs look."""

"""Files that people send: what they are, and what is made of them."""

"""The demo world, and a crowd of made-up people for measuring."""

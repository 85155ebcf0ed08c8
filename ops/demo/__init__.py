"""The demo world, and many made-up people and videos for measuring."""

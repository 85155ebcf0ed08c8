"""Files that people send: stored, probed, and made into pictures. Knows no database and no HTTP."""

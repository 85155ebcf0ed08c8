"""What the platform itself knows: accounts, videos, files, uploads, search, sharing. It is asked by routes, worker and commands."""

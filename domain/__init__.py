"""The platform's own rules: accounts, videos, files, uploads, search, sharing. Used by routes, worker and commands."""

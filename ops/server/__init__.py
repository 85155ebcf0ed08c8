"""`python app.py`: the private database, the start, the development server."""

"""Work that is done after a request: thumbnails, view counts, deleting what has expired."""

"""What is done after a request: thumbnails, counts of views, sweeping."""

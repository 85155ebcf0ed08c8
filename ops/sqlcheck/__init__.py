"""The queries, proof-read by the database itself: `flask sql ...`, and the catalog of the rows that they return."""

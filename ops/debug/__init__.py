"""The glass box: under DEBUG, pages at /debug show the last requests with the SQL that ran for each, and the schema.

Outside DEBUG nothing of it is there: no address, no header, and the plain Database, which records nothing.
"""

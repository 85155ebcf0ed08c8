"""`flask live`: the events of live rooms for thousands of listeners, in one process."""

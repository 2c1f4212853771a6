"""The fuse box: the only place that knows the rooms, one file a process, so that no process loads what it does not need."""

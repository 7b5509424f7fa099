"""Hold the problems in time, one PDE a file."""

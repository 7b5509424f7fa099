"""Hold the problems without time, one PDE a file."""

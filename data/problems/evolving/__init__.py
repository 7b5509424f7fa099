"""Problems in time, one PDE a file."""

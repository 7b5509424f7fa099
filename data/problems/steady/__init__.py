"""Problems without time, one PDE a file."""

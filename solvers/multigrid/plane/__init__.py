"""The compiled multigrid of two-dimensional boxes."""

"""The compiled multigrid of three-dimensional boxes."""

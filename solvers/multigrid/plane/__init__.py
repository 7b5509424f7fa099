"""Solve on two-dimensional boxes: the compiled multigrid."""

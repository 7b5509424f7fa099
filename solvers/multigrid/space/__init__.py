"""Solve on three-dimensional boxes: the compiled multigrid."""

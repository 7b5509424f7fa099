"""Prepare a sparse factorisation: what the matrix is like, in which order to eliminate, and how well it went."""

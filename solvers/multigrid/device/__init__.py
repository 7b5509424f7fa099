"""Solve batches by two-dimensional multigrid on CUDA devices: kernels in one CUDA program, launched through CuPy."""

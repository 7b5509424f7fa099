"""Set what all test processes share: one thread each."""

from __future__ import annotations

import os

# Set before NumPy and PyTorch start their pools: on small arrays, threads that wait for each other only burn time.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

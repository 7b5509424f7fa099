"""Measure the tables ``results/NAME.md``, each by a file or folder with ``measure(config, folder)``."""

TABLES = (
    "generation",
    "darcy_fno",
    "neural_spectral",
    "neural_spectral_flow",
    "solvers",
    "multigrid_gpu",
    "skr",
    "skr_large",
    "timestepping",
    "operators",
)

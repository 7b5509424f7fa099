"""The measured tables, one a file or folder with ``measure(config, folder)``, written to ``results/NAME.md``."""

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

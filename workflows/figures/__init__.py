"""Draw fields, trainings, sweeps and trajectories."""

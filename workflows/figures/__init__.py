"""Figures of fields, trainings, sweeps and trajectories."""

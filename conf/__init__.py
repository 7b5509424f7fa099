"""Hydra configuration: one group a concept, one file an option. Read as ``pkg://resolvent.conf``."""

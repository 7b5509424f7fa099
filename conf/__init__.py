"""Hold the Hydra configuration: one group a concept, one file an option. Hydra reads it as ``pkg://resolvent.conf``."""

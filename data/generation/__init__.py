"""Generate certified datasets: shards, chains of related systems, workers and engines."""

from .chains import Chains
from .engines import ENGINES, Engine, open_engine
from .run import GenerationProgress, GenerationReport, generate

__all__ = ["ENGINES", "Chains", "Engine", "GenerationProgress", "GenerationReport", "generate", "open_engine"]

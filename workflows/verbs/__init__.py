"""List the verbs of the command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """Describe a verb; ``resolvent.workflows.verbs.NAME.run(overrides) -> int`` runs it."""

    summary: str
    example: str


VERBS = {
    "generate": Verb(
        "generate a certified PDE dataset, or resume or repair one",
        "resolvent generate problem=darcy problem.resolution=64 samples=600 seed=0 workers=2 out=datasets/darcy",
    ),
    "verify": Verb("recompute all checksums and certificates of a dataset", "resolvent verify data=datasets/darcy"),
    "inspect": Verb(
        "describe a dataset: fields, shapes, units, solver", "resolvent inspect data=datasets/darcy plot=true"
    ),
    "convert": Verb(
        "import files (PDEBench, neuraloperator, NumPy, MATLAB) as a dataset, or export one",
        "resolvent convert source=darcy_train_16.pt out=datasets/darcy16",
    ),
    "train": Verb(
        "train a neural operator, or resume a training",
        "resolvent train data=datasets/darcy operator=fno epochs=20 out=runs/fno",
    ),
    "evaluate": Verb(
        "measure a trained operator beside its baselines",
        "resolvent evaluate model=runs/fno data=datasets/darcy",
    ),
    "solve": Verb(
        "solve a linear system, from a file or a sampled problem",
        "resolvent solve matrix=A.mtx rhs=b.npy solver=cg preconditioner=amg rtol=1e-8 out=runs/solve",
    ),
    "sweep": Verb(
        "solve with many settings of a solver and find the best",
        "resolvent sweep problem=poisson solver=sor 'solver.omega=range(1.0,2.0,0.05)' out=runs/omega",
    ),
    "bench": Verb("measure one of the project's tables of results", "resolvent bench generation"),
}

"""The verbs of the command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A verb: what it does and how it is typed; ``resolvent.workflows.verbs.NAME.run(overrides) -> int`` does it."""

    summary: str
    example: str


VERBS = {
    "generate": Verb(
        "generate a certified PDE dataset (again: resume or repair it)",
        "resolvent generate problem=darcy problem.resolution=64 samples=600 seed=0 workers=2 out=datasets/darcy",
    ),
    "verify": Verb("recompute every certificate of a dataset", "resolvent verify data=datasets/darcy"),
    "inspect": Verb("describe a dataset", "resolvent inspect data=datasets/darcy plot=true"),
    "convert": Verb(
        "convert PDEBench, neuraloperator, NumPy and MATLAB files to a dataset, or a dataset to them",
        "resolvent convert source=darcy_train_16.pt out=datasets/darcy16",
    ),
    "train": Verb(
        "train a neural operator (again: resume)",
        "resolvent train data=datasets/darcy operator=fno epochs=20 out=runs/fno",
    ),
    "evaluate": Verb(
        "test a trained operator beside its baselines",
        "resolvent evaluate model=runs/fno data=datasets/darcy",
    ),
    "solve": Verb(
        "solve a linear system",
        "resolvent solve matrix=A.mtx rhs=b.npy solver=cg preconditioner=amg rtol=1e-8 out=runs/solve",
    ),
    "sweep": Verb(
        "sweep solver parameters (again: resume)",
        "resolvent sweep problem=poisson solver=sor 'solver.omega=range(1.0,2.0,0.05)' out=runs/omega",
    ),
    "bench": Verb("measure one of the project's tables", "resolvent bench generation"),
}
